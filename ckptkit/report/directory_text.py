"""What `inspect` says of a directory of checkpoints, as text: one line a checkpoint."""

from collections.abc import Iterator

from ckptkit.model.directory import Directory, Entry, Run
from ckptkit.report.styled import Line, line
from ckptkit.report.words import plural, size

MAX_LISTED = 12
"""Most checkpoints of one run that are listed; the newest, and all that cannot be used, always are."""


def lines(found: Directory) -> Iterator[Line]:
    """Yield a heading, a block for each run, what cannot be used, and files that belong to nothing."""
    yield _heading(found)
    for run in found.runs:
        yield []
        yield from _run(run)
    if found.failed:
        yield []
        yield line((f"{plural(len(found.failed), 'checkpoint')} cannot be used", "bad"))
        yield from _branches([_failed(entry) for entry in found.failed])
    if found.stray:
        yield []
        yield line(f"{plural(len(found.stray), 'file')} beside them, not read")
        yield from _branches([line(path, (f"  {what}", "dim")) for path, what in found.stray.items()])


def _heading(found: Directory) -> Line:
    systems = ", ".join(f"{name} {count:,}" for name, count in found.systems.items())
    failed = plural(len(found.failed), "unusable one", "unusable ones")
    counts = f"{plural(len(found.entries), 'checkpoint')} in {plural(len(found.runs), 'run')}"
    head = line(
        (found.path, "name"), f" · {counts} · {size(found.bytes)}", f" · {systems}" if systems else ""
    )
    return head + (line(" · ", (failed, "bad")) if found.failed else [])


def _run(run: Run) -> Iterator[Line]:
    newest = run.newest
    said = f" · newest {_name(newest)} ({_step(newest)})" if newest else ""
    systems = ", ".join(run.systems) or "nothing readable"
    count = plural(len(run.entries), "checkpoint")
    yield line((run.path, "name"), f" · {systems} · {count} · {size(run.bytes)}", said)
    listed = _listed(run, newest)
    shown = [_readable(entry, is_newest=entry is newest) for entry in listed]
    left = len(run.entries) - len(listed)
    yield from _branches(shown + ([line((f"{left:,} more in --format json", "dim"))] if left else []))


def _listed(run: Run, newest: Entry | None) -> list[Entry]:
    if len(run.entries) <= MAX_LISTED:
        return list(run.entries)
    ends = {entry.path for entry in (*run.entries[: MAX_LISTED // 2], *run.entries[-MAX_LISTED // 2 :])}
    return [entry for entry in run.entries if entry.path in ends or entry.failure or entry is newest]


def _readable(entry: Entry, *, is_newest: bool) -> Line:
    if entry.failure is not None:
        return line(_name(entry), " · ", (entry.failure.kind, "bad"), f" · {size(entry.bytes)}")
    version = f" {entry.format_version}" if entry.format_version else ""
    said = [f"{entry.format}{version}", _step(entry), size(entry.bytes)]
    words = " · ".join(filter(None, said))
    return line((_name(entry), "good" if is_newest else ""), f" · {entry.system} · {words}")


def _failed(entry: Entry) -> Line:
    failure = entry.failure
    if failure is None:
        return []
    fix = f" ({failure.fix})" if failure.fix else ""
    return line(entry.path, " · ", (f"{failure.kind} {failure.code}", "bad"), f" · {failure.what}{fix}")


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


def _step(entry: Entry) -> str:
    if entry.step is None:
        return ""
    return (
        f"{entry.step:,} in its name"
        if entry.step_from == "file name"
        else f"{entry.step_from} {entry.step:,}"
    )


def _branches(parts: list[Line]) -> Iterator[Line]:
    for index, part in enumerate(parts):
        yield [("└─ " if index == len(parts) - 1 else "├─ ", "dim"), *part]
