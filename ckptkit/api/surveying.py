"""Say what a directory of checkpoints holds: systems, runs, how far each was trained, what is broken."""

import os
from functools import partial
from pathlib import Path

from ckptkit.api.reading import PathLike, is_checkpoint, read_if_any
from ckptkit.api.spreading import each
from ckptkit.errors import (
    CkptkitError,
    InaccessibleError,
    NotACheckpointError,
    PointerError,
    UnreadableCheckpointError,
    UnsafeCheckpointError,
)
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.directory import Directory, Entry, Failure, Run
from ckptkit.model.finding import Verdict
from ckptkit.model.metrics import metrics
from ckptkit.model.systems import step, system
from ckptkit.storage.probe import Probe
from ckptkit.storage.source import FileSource
from ckptkit.storage.walk import candidates

_KINDS: tuple[tuple[type[CkptkitError], str], ...] = (
    (PointerError, "pointer"),
    (InaccessibleError, "inaccessible"),
    (UnsafeCheckpointError, "unsafe"),
    (UnreadableCheckpointError, "broken"),
    (CkptkitError, "refused"),
)


def is_searched(path: PathLike) -> bool:
    """Whether `path` is a directory that is no checkpoint by itself.

    Raises:
        CkptkitError: Nothing is there, or it cannot be looked at.
    """
    root = Path(path)
    return Probe(root).is_directory and not is_checkpoint(root)


def survey(path: PathLike, *, jobs: int = 1) -> Directory:
    """Look at every checkpoint in a directory and below it; no tensor bytes are read.

    Args:
        path: A directory that is no checkpoint by itself.
        jobs: Processes to use, which may import the calling program anew (it needs its `__main__` guard); 0
            for one a core where there are many files.

    Returns:
        The checkpoints by the folder that they lie in, each run in the order of its training. One that
        cannot be read is listed with the reason.

    Raises:
        NotACheckpointError: There is nothing there, or no checkpoint in it.
        InaccessibleError: The directory cannot be listed.
    """
    root = Path(path)
    runs: dict[str, list[Entry]] = {}
    for _, entry in each(partial(_looked_at, root), candidates(root, is_checkpoint), jobs):
        if entry is not None:
            runs.setdefault(entry.run, []).append(entry)
    if not runs:
        raise NotACheckpointError("no checkpoint in this directory", where=os.fspath(path))
    ordered = (Run(folder, tuple(sorted(entries, key=_order))) for folder, entries in sorted(runs.items()))
    return Directory(os.fspath(path), tuple(ordered))


def _order(entry: Entry) -> tuple[bool, int, str]:
    return entry.step is not None, entry.step or 0, entry.path


def _looked_at(root: Path, path: Path) -> Entry | None:
    found = read_if_any(path)
    return None if found is None else _entry(root, path, found)


def _entry(root: Path, path: Path, found: Checkpoint | CkptkitError) -> Entry:
    inside = path.relative_to(root)
    name, run = inside.as_posix(), inside.parent.as_posix()
    if isinstance(found, CkptkitError):
        kind = next(kind for cls, kind in _KINDS if isinstance(found, cls))
        failure = Failure(kind, found.code, found.what, found.fix, found.exit_code)
        return Entry(path=name, run=run, bytes=_size(path), failure=failure)
    count, field = step(found, path.name)
    return Entry(
        path=name,
        run=run,
        system=system(found),
        format=found.format,
        format_version=found.format_version,
        verdict=found.verdict,
        step=count,
        step_from=field,
        bytes=sum(file.source.size for file in found.files if file.role != "wrapper"),
        failure=_unsafe(found),
        notes=found.notes,
        metrics=metrics(found.training_info),
    )


def _unsafe(checkpoint: Checkpoint) -> Failure | None:
    if checkpoint.verdict is not Verdict.UNSAFE:
        return None
    named = (f"{use.module}.{use.name}" for use in checkpoint.globals if not use.allowed)
    what = f"its pickle names what no checkpoint needs: {', '.join(dict.fromkeys(named))}"
    fix = "do not load it; nothing of it was executed"
    return Failure("unsafe", UnsafeCheckpointError.code, what, fix, UnsafeCheckpointError.exit_code)


def _size(path: Path) -> int:
    try:
        return FileSource(path).size
    except CkptkitError:
        return 0
