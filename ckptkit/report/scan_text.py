"""What `scan` found, as text: a line of verdict a file, what deserves a look below it, and the counts."""

from collections.abc import Iterator

from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.inert import CodeFact, GlobalUse
from ckptkit.model.scanned import GRAVITY, Part, Scan, Scanned
from ckptkit.report.styled import Line, line
from ckptkit.report.words import plural, size

STYLES = {
    Verdict.DATA_ONLY: "good",
    Verdict.CONTAINS_CODE: "warn",
    Verdict.UNSUPPORTED: "bad",
    Verdict.MALFORMED: "bad",
    Verdict.UNSAFE: "bad",
}
BEARING = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "note"}
INDENT = "  "


def result(one: Scanned, *, full: bool) -> Iterator[Line]:
    """Yield what is to be said of one file.

    Args:
        one: What was found in it.
        full: Whether to list its parts, allowed globals and code too, and not only what is wrong.
    """
    yield line((one.path, "name"), ": ", (str(one.verdict), STYLES[one.verdict]), _summary(one))
    if full:
        for part in one.parts:
            yield from _part(part)
    for finding in one.findings:
        if full or finding.severity is not Severity.INFO:
            yield _finding(finding)


def closing(done: Scan) -> Iterator[Line]:
    """Yield the counts of the whole run."""
    verdicts = [one.verdict for one in done.results if one.kind]
    counts = [f"{verdicts.count(verdict):,} {verdict}" for verdict in GRAVITY if verdict in verdicts]
    unread = sum(1 for one in done.results if not one.kind)
    counts += [f"{unread:,} not scanned"] if unread else []
    passed = f" · {plural(len(done.skipped), 'other file')}" if done.skipped else ""
    codes = sorted({f.code for one in done.results for f in one.findings if f.severity is Severity.ERROR})
    explain = f" · explain: ckptkit explain {codes[0]}" if codes else ""
    yield line((f"{plural(len(verdicts), 'file')} scanned: {', '.join(counts)}{passed}{explain}", "name"))


def _summary(one: Scanned) -> str:
    if not one.kind:
        return ""
    uses = sum(len(part.globals) for part in one.parts)
    facts = [one.kind, plural(uses, "global")]
    if len(one.parts) > 1:
        facts.insert(1, plural(len(one.parts), "part"))
    return f" · {' · '.join(facts)}"


def _part(part: Part) -> Iterator[Line]:
    place = part.place or "the file itself"
    yield line(
        INDENT,
        (place, "head"),
        f"  {part.kind}, {size(part.size)}: ",
        (str(part.verdict), STYLES[part.verdict]),
    )
    yield from (_use(use, part) for use in part.globals)
    yield from (_code(fact) for fact in part.code)


def _use(use: GlobalUse, part: Part) -> Line:
    mark, style = ("allowed", "good") if use.allowed else ("refused", "bad")
    where = f"{use.where} " if use.where != part.place else ""
    return line(
        INDENT * 2,
        (mark, style),
        f"  {use.module}.{use.name}  {where}byte {use.offset:,}: ",
        (use.why, "dim"),
    )


def _code(fact: CodeFact) -> Line:
    names = f"; uses {', '.join(fact.names)}" if fact.names else ""
    constants = f"; constants {', '.join(fact.constants)}" if fact.constants else ""
    where = f" in {fact.where}" if fact.where else ""
    return line(INDENT * 2, ("code", "warn"), f"     {fact.kind} {fact.name}{where}{names}{constants}")


def _finding(finding: Finding) -> Line:
    place = finding.location
    message = finding.message if not place or place in finding.message else f"{place}: {finding.message}"
    fix = f" · fix: {finding.fix}" if finding.fix else ""
    weight = (str(finding.severity), BEARING[finding.severity])
    return line(INDENT, (finding.code, "name"), " ", weight, f"  {message}{fix}")
