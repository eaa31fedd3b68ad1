"""What `validate` or `scan` found, as SARIF 2.1.0 (OASIS Standard, 27 March 2020), for code scanning.

One run. Each result names a real file relative to the root of the repository, with the line where a
manifest has one; tensors and members are logical locations. What could not be checked is a
notification of the invocation, which then says that it was not successful; digests that were not to be
compared are a note there.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ckptkit.checks import Rule, rules
from ckptkit.model.baseline import Pardoned
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.places import Fingerprints, uri
from ckptkit.report.json_report import Object, text
from ckptkit.report.styled import one_line
from ckptkit.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
ROOT = "SRCROOT"


class Judged(Protocol):
    """What is known of one path: a `Validation` or a `Scanned`."""

    @property
    def path(self) -> str:
        """As the user named it."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What is wrong with it."""

    @property
    def pardoned(self) -> Sequence[Pardoned]:
        """What a baseline accepts."""

    @property
    def incomplete(self) -> str:
        """Why something could not be checked; empty where all was."""


def sarif(results: Sequence[Judged], root: Path | None, remarks: Iterable[tuple[str, str]] = ()) -> str:
    """Return the report.

    Args:
        results: What was found, one for each path.
        root: Folder that paths are relative to, mostly that of the repository.
        remarks: What else is to be said of paths, which makes no run less successful.
    """
    known = rules()
    index = {rule.code: number for number, rule in enumerate(known)}
    prints = Fingerprints(root)
    incomplete = [
        _notification("error", f"not checked: {one.incomplete}", one.path, root)
        for one in results
        if one.incomplete
    ]
    run: Object = {
        "tool": {
            "driver": {
                "name": "ckptkit",
                "version": __version__,
                "informationUri": "https://ckptkit.dev",
                "rules": [_rule(rule) for rule in known],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not incomplete,
                "toolExecutionNotifications": [
                    *incomplete,
                    *(_notification("note", said, path, root) for path, said in remarks),
                ],
            }
        ],
        "results": [
            *(_result(one, finding, index, prints, root) for one in results for finding in one.findings),
            *_suppressed(results, index, prints, root),
        ],
        "columnKind": "unicodeCodePoints",
    }
    return text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: Rule) -> Object:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"level": rule.level, "requirements": list(rule.musts)},
    }


def _suppressed(
    results: Sequence[Judged], index: dict[str, int], prints: Fingerprints, root: Path | None
) -> Iterator[Object]:
    for result in results:
        for one in result.pardoned:
            why = [{"kind": "external", "status": "accepted", "justification": one_line(one.entry.reason)}]
            yield _result(result, one.finding, index, prints, root) | {"suppressions": why}


def _result(
    result: Judged, finding: Finding, index: dict[str, int], prints: Fingerprints, root: Path | None
) -> Object:
    path = finding.path or result.path
    message = f"{finding.message}. Fix: {finding.fix}" if finding.fix else finding.message
    made: Object = {
        "ruleId": finding.code,
        "level": LEVELS[finding.severity],
        "message": {"text": one_line(message)},
        "locations": [_location(path, finding, root)],
        "partialFingerprints": {"finding/v1": prints.of(finding, path)},
    }
    return made | {"ruleIndex": index[finding.code]} if finding.code in index else made


def _location(path: str, finding: Finding, root: Path | None) -> Object:
    physical: Object = {"artifactLocation": _artifact(path, root)}
    if finding.line:
        physical["region"] = {"startLine": finding.line}
    made: Object = {"physicalLocation": physical}
    if finding.location:
        made["logicalLocations"] = [{"fullyQualifiedName": one_line(finding.location), "kind": "member"}]
    return made


def _artifact(path: str, root: Path | None) -> Object:
    place = uri(path, root)
    return {"uri": place} if place.startswith("file:") else {"uri": place, "uriBaseId": ROOT}


def _notification(level: str, said: str, path: str, root: Path | None) -> Object:
    return {
        "level": level,
        "message": {"text": one_line(said)},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(path, root)}}],
    }
