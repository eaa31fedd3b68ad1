"""What `validate` found, for the services that run it: GitHub's commands, GitLab's code quality.

Sources: GitHub documentation "Workflow commands for GitHub Actions", GitLab 18 documentation "Code
Quality", report format.
"""

from collections.abc import Iterator
from pathlib import Path

from ckptkit.checks import find
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.places import Fingerprints, found, relative
from ckptkit.model.results import Report
from ckptkit.report.json_report import text

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
WEIGHTS = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def github(report: Report, root: Path | None) -> str:
    """Return a workflow command for each finding, and one for each checkpoint that could not be checked."""
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


def _command(kind: str, properties: dict[str, str], message: str) -> str:
    """Escape what would end the command, as GitHub's own toolkit does."""
    shown = ",".join(
        f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
    )
    return f"::{kind} {shown}::{_escaped(message)}"


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def gitlab(report: Report, root: Path | None) -> str:
    """Return GitLab's code quality report: an array with one object for each finding."""
    prints = Fingerprints(root)
    return text(
        [_issue(finding, finding.path or result.path, prints, root) for result, finding in found(report)]
    )


def _issue(finding: Finding, path: str, prints: Fingerprints, root: Path | None) -> dict[str, object]:
    return {
        "description": f"{_title(finding)}: {_message(finding)}",
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
