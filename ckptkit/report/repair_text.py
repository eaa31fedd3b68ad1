"""What `repair` did, as text: each mend with its proof, what is left, and what the path is now."""

from collections.abc import Iterator

from ckptkit.model.repaired import Left, Mend, Repaired
from ckptkit.report.styled import Line, line
from ckptkit.report.validation_text import result
from ckptkit.report.words import plural

INDENT = "  "


def lines(done: Repaired) -> Iterator[Line]:
    """Yield the mends, what is left, and the result of the check that follows."""
    for mend in done.mends:
        yield from _mend(mend, written=done.written)
    for left in done.left:
        yield from _left(left)
    yield from result(done.validation, color=False)
    yield line((_summary(done), "name"))


def _mend(mend: Mend, *, written: bool) -> Iterator[Line]:
    word = "mended" if written else "would mend"
    yield line((mend.path, "name"), ": ", (word, "good"), f" {mend.fault}: {mend.change}")
    yield line(INDENT, ("proof ", "note"), mend.proof)
    if mend.backup:
        yield line(INDENT, ("kept ", "note"), f"the file as it was, as {mend.backup}")


def _left(left: Left) -> Iterator[Line]:
    yield line((left.path, "name"), ": ", ("left", "bad"), f" {left.fault}: {left.why}")
    if left.fix:
        yield line(INDENT, ("fix ", "note"), left.fix)


def _summary(done: Repaired) -> str:
    parts = [plural(len(done.mends), "mend")]
    if done.left:
        parts.append(f"{len(done.left)} left")
    if done.validation.incomplete:
        parts.append(f"not checked: {done.validation.incomplete}")
    else:
        errors = sum(1 for finding in done.validation.findings if finding.severity.value == "error")
        parts.append(plural(errors, "error") if errors else f"sound at level {done.validation.level}")
    dry = " · a dry run: nothing was written, --write does it" if done.pending else ""
    return f"{done.path}: {', '.join(parts)}{dry}"
