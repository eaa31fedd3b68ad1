"""What `convert` did, as text."""

from collections.abc import Iterator

from ckptkit.model.finding import Verdict
from ckptkit.model.levels import NAMES
from ckptkit.model.results import Receipt, Written
from ckptkit.report.styled import Line, line
from ckptkit.report.words import plural, size

LABEL = 10


def lines(done: Receipt, *, list_dropped: bool) -> Iterator[Line]:
    """Yield one line a step: read, weights, changed, dropped, assumed, notes, wrote."""
    yield _read(done)
    if done.written is not None:
        yield _step("weights", _weights(done.written, done.adapted))
    for change in done.changed:
        yield _step("changed", change)
    yield from _dropped(done, list_dropped)
    yield _step("assumed", ", ".join(done.assumed) or "nothing")
    for note in done.notes:
        yield _step("note", f"{note.location}: {note.message}" if note.location else note.message)
    yield from _wrote(done)


def _step(label: str, text: str, style: str = "") -> Line:
    return line((f"{label:<{LABEL}}", "dim"), (text, style))


def _read(done: Receipt) -> Line:
    code = ""
    if done.verdict is Verdict.CONTAINS_CODE:
        places = list(dict.fromkeys(fact.where for fact in done.code if fact.where))
        code = f" · code seen and not run{' in ' if places else ''}{', '.join(places)}"
    return _step(
        "read", f"{plural(done.files_read, 'file')} of {done.source_format}, 0 pickles executed{code}"
    )


def _weights(written: Written, adapted: tuple[str, ...]) -> str:
    aliases = f" ({plural(written.aliases, 'alias', 'aliases')})" if written.aliases else ""
    state = f" · {plural(written.training_tensors, 'training tensor')}" if written.training_tensors else ""
    but = f" but for {', '.join(adapted)}" if adapted else ""
    return f"{plural(written.tensors, 'tensor')}{aliases}, bit-identical{but}{state}"


def _dropped(done: Receipt, list_dropped: bool) -> Iterator[Line]:
    if not done.dropped:
        yield _step("dropped", "nothing")
    elif list_dropped:
        for entry in done.dropped:
            yield _step("dropped", f"{entry.path}: {entry.reason}")
    else:
        names = ", ".join(entry.path for entry in done.dropped)
        yield _step("dropped", f"{names} (reasons: --list-dropped)")


def _wrote(done: Receipt) -> Iterator[Line]:
    if done.written is None:
        yield _step(
            "wrote", f"nothing: a dry run; {done.target} would be level {done.level} {NAMES[done.level]}"
        )
        return
    total = sum(count for _, count, _ in done.written.files)
    yield _step(
        "wrote",
        f"{done.target} · {plural(len(done.written.files), 'file')}, {size(total)} · "
        f"level {done.level} {NAMES[done.level]} · source untouched",
        "good",
    )
    yield _step("content", f"sha256 {done.written.content_digest}")
    if done.written.bundle_digest:
        yield _step("bundle", f"sha256 {done.written.bundle_digest}")
