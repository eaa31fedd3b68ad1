"""What `validate` found, as Markdown: for a step summary, a merge request or a wiki."""

from pathlib import Path

from ckptkit.model.finding import Finding
from ckptkit.model.levels import NAMES
from ckptkit.model.places import relative
from ckptkit.model.results import Report, Validation
from ckptkit.report.styled import one_line
from ckptkit.report.tally import failed, tally
from ckptkit.report.words import not_compared, plural


def markdown(report: Report, root: Path | None) -> str:
    """Return a heading, a row for each checkpoint, and a table of the findings of each that has any."""
    counts = tally(report)
    parts = [f"{counts[name]} {name}" for name in ("ok", "failed", "incomplete", "skipped") if counts[name]]
    lines = [f"# ckptkit: {plural(counts['checked'], 'checkpoint')}: {', '.join(parts) or 'none'}", ""]
    if report.results:
        lines += ["| checkpoint | result | level |", "|---|---|---|"]
        lines += [_row(result, root) for result in report.results]
    for result in report.results:
        if result.findings:
            lines += ["", f"## {_cell(relative(result.path, root))}", ""]
            lines += ["| rule | severity | where | what | fix |", "|---|---|---|---|---|"]
            lines += [_finding(finding, result, root) for finding in result.findings]
    return "\n".join(lines) + "\n"


def _row(result: Validation, root: Path | None) -> str:
    state = "failed" if failed(result) else "ok"
    said = f"not checked: {result.incomplete}" if result.incomplete else state
    said = "; ".join(filter(None, (said, not_compared(result))))
    level = f"{result.level} {NAMES[result.level]}" if result.level >= 0 else ""
    return f"| {_cell(relative(result.path, root))} | {_cell(said)} | {level} |"


def _finding(finding: Finding, result: Validation, root: Path | None) -> str:
    place = relative(finding.path or result.path, root)
    line = f":{finding.line}" if finding.line else ""
    inside = f" {finding.location}" if finding.location else ""
    cells = (finding.code, str(finding.severity), f"{place}{line}{inside}", finding.message, finding.fix)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: str) -> str:
    """Return a value that neither ends its cell nor reads as markup."""
    shown = one_line(value)
    for mark in "\\`*_{}[]<>#|":
        shown = shown.replace(mark, f"\\{mark}")
    return shown
