"""What `validate` found, for the services that run it: GitHub's commands, GitLab's code quality.

Sources: GitHub documentation "Workflow commands for GitHub Actions", GitLab 18 documentation "Code
Quality", report format.
"""

from collections.abc import Iterator
from pathlib import Path

from ckptkit.checks import find
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.places import Fingerprints, found, relative
from ckptkit.model.results import Report, Validation
from ckptkit.report.json_report import text
from ckptkit.report.styled import lines_of
from ckptkit.report.words import all_not_compared, not_compared

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
LEFT = "not-compared"
"""Name of the check whose issues say which digests were not compared."""
WEIGHTS = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def github(report: Report, root: Path | None) -> str:
    """Return a workflow command for each finding, and one for each checkpoint that could not be checked.

    Digests that were not compared are said once for all checkpoints: GitHub shows few notices of a step.
    """
    return "".join(f"{command}\n" for command in _commands(report, root))


def _commands(report: Report, root: Path | None) -> Iterator[str]:
    for result in report.results:
        for finding in result.findings:
            place = {"file": relative(finding.path or result.path, root)}
            if finding.line:
                place["line"] = str(finding.line)
            yield _command(COMMANDS[finding.severity], place | {"title": _title(finding)}, _message(finding))
        if result.incomplete and not result.findings:
            place = {"file": relative(result.path, root), "title": "not checked"}
            yield _command("error", place, result.incomplete)
    for said in all_not_compared(report.results):
        yield _command("notice", {"title": "ckptkit validate"}, said)


def _command(kind: str, properties: dict[str, str], message: str) -> str:
    """Escape what would end the command, as GitHub's own toolkit does."""
    shown = ",".join(
        f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
    )
    return f"::{kind} {shown}::{_escaped(message)}"


def _escaped(value: str) -> str:
    return lines_of(value).replace("%", "%25").replace("\n", "%0A")


def gitlab(report: Report, root: Path | None) -> str:
    """Return GitLab's code quality report: an array with one object for each finding.

    Another one says of each checkpoint which digests were not compared.
    """
    prints = Fingerprints(root)
    issues = [
        _issue(finding, f"{_title(finding)}: {_message(finding)}", finding.path or result.path, prints, root)
        for result, finding in found(report)
    ]
    return text(issues + [_left(result, prints, root) for result in report.results if result.not_compared])


def _left(result: Validation, prints: Fingerprints, root: Path | None) -> dict[str, object]:
    """Return the issue that says which digests were not compared; the form has no other place for it."""
    said = Finding(LEFT, Severity.INFO, not_compared(result), result.path)
    return _issue(said, said.message, said.path, prints, root)


def _issue(
    finding: Finding, said: str, path: str, prints: Fingerprints, root: Path | None
) -> dict[str, object]:
    return {
        "description": said,
        "check_name": finding.code,
        "fingerprint": prints.of(finding, path),
        "severity": WEIGHTS[finding.severity],
        "location": {"path": relative(path, root), "lines": {"begin": finding.line or 1}},
    }


def _title(finding: Finding) -> str:
    return f"{finding.code} {find(finding.code).name}"


def _message(finding: Finding) -> str:
    place = "" if finding.location in finding.message else f"{finding.location}: "
    fix = f" · fix: {finding.fix}" if finding.fix else ""
    return f"{place}{finding.message}{fix}"
