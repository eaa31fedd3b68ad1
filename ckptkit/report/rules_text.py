"""The list of rules, and the page on one, as text."""

from collections.abc import Iterator, Sequence

from ckptkit.checks import Rule
from ckptkit.model.finding import Severity
from ckptkit.model.levels import NAMES
from ckptkit.report.styled import Line, line

BEARING = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "note"}


def table(known: Sequence[Rule]) -> Iterator[Line]:
    """Yield one line a rule: code, severity, level, name, summary."""
    width = max((len(rule.name) for rule in known), default=0)
    for rule in known:
        yield line(
            (rule.code, "name"),
            "  ",
            (f"{rule.severity:<7}", BEARING[rule.severity]),
            f"  level {rule.level}  {rule.name:<{width}}  {rule.summary}",
        )


def page(rule: Rule) -> Iterator[Line]:
    """Yield what is wrong, why it matters, what to do, and where the requirement stands."""
    yield line((f"{rule.code} {rule.name}", "name"))
    stricter = f", {rule.strict} under --strict" if rule.strict else ""
    yield line(
        (str(rule.severity), BEARING[rule.severity]), f"{stricter} · level {rule.level} {NAMES[rule.level]}"
    )
    for title, text in (("", rule.summary), ("Why", rule.why), ("Fix", rule.fix)):
        yield line("")
        yield line((f"{title}: " if title else "", "name"), text)
    if rule.musts:
        yield line("")
        yield line(("Requirements: ", "name"), ", ".join(rule.musts))
