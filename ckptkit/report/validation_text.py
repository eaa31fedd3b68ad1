"""What `validate` found, as text: lines for a pipe, groups for a terminal."""

from collections.abc import Iterator

from ckptkit.model.finding import Finding, Severity
from ckptkit.model.levels import NAMES
from ckptkit.model.results import Report, Validation
from ckptkit.report.styled import Line, line
from ckptkit.report.tally import failed, tally
from ckptkit.report.words import all_not_compared, plural

BEARING = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "note"}


def result(checked: Validation, *, color: bool) -> Iterator[Line]:
    """Yield what is to be said of one checkpoint; nothing in a pipe where it is sound."""
    yield from _grouped(checked) if color else _plain(checked)


def closing(report: Report, *, color: bool) -> Iterator[Line]:
    """Yield what is to be said of the whole run."""
    head = ("note  ", "note") if color else ("note: ", "")
    yield from (line(head, f"{path}: holds no checkpoint") for path in report.skipped)
    yield from (line(head, remark) for remark in report.remarks)
    yield from (line(head, said) for said in all_not_compared(report.results))
    yield _summary(report)


def _plain(checked: Validation) -> Iterator[Line]:
    """Yield `path: CODE message` for each finding."""
    for finding in checked.findings:
        weight = "" if finding.severity is Severity.ERROR else f"{finding.severity}: "
        fix = f" · fix: {finding.fix}" if finding.fix else ""
        path = finding.path or checked.path
        yield line(f"{path}: {finding.code} {weight}{_message(finding)}{fix}")


def _grouped(checked: Validation) -> Iterator[Line]:
    """Yield the checkpoint with its findings below it."""
    yield _title(checked)
    for finding in checked.findings:
        style = BEARING[finding.severity]
        place = _inside(finding.path, checked.path)
        text = f"{place}: {_message(finding)}" if place else _message(finding)
        yield line("  ", (finding.code, "name"), " ", (str(finding.severity), style), f"  {text}")
        if finding.fix:
            yield line("        ", ("fix: ", "dim"), finding.fix)


def _title(result: Validation) -> Line:
    if result.incomplete:
        return line(("? ", "warn"), (result.path, "name"), f"  not checked: {result.incomplete}")
    if failed(result):
        return line(("✗ ", "bad"), (result.path, "name"))
    return line(("✓ ", "good"), (result.path, "name"), f"  level {result.level} {NAMES[result.level]}")


def _message(finding: Finding) -> str:
    """Return the message, led by the place unless it names it itself."""
    if not finding.location or finding.location in finding.message:
        return finding.message
    return f"{finding.location}: {finding.message}"


def _inside(path: str, root: str) -> str:
    """Return `path` relative to the checkpoint, empty where it is the checkpoint itself."""
    for separator in ("/", "\\"):
        if path.startswith(root + separator):
            return path[len(root) + 1 :]
    return "" if path in ("", root) else path


def _summary(report: Report) -> Line:
    counts = tally(report)
    parts = [f"{counts['ok']} ok"]
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    if counts["incomplete"]:
        parts.append(f"{counts['incomplete']} incomplete")
    if counts["skipped"]:
        parts.append(f"{counts['skipped']} skipped")
    text = f"{plural(counts['checked'], 'checkpoint')}: {', '.join(parts)}"
    text += _levels(report)
    if counts["accepted"]:
        text += f" · {counts['accepted']} accepted by the baseline"
    if counts["warnings"]:
        text += f" · {plural(counts['warnings'], 'warning')}"
    worst = [f for result in report.results for f in result.findings if f.severity is not Severity.INFO]
    worst.sort(key=lambda finding: finding.severity is not Severity.ERROR)
    if worst:
        text += f" · explain: ckptkit explain {worst[0].code}"
    return line(text)


def _levels(report: Report) -> str:
    """Say which level was reached, where all checkpoints are sound and agree."""
    reached = {result.level for result in report.results}
    sound = not any(result.incomplete or failed(result) for result in report.results)
    if not sound or len(reached) != 1:
        return ""
    level = reached.pop()
    return f" · level {level} {NAMES[level]}"
