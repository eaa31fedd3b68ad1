"""Mend what is proven, leave the rest with its reason, and say what the checkpoint is then."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ckptkit.api.mending_manifest import plan_manifest
from ckptkit.api.reading import PathLike, is_checkpoint, read
from ckptkit.api.validating import validate
from ckptkit.errors import CkptkitError, UsageError
from ckptkit.model.manifest import NAME
from ckptkit.model.repaired import Left, Mend, Repaired
from ckptkit.storage.locks import exclusive
from ckptkit.storage.mending import Plan, Planned
from ckptkit.storage.mending.archives import plan_directory
from ckptkit.storage.mending.names import plan_names
from ckptkit.storage.mending.pointers import plan_content
from ckptkit.storage.probe import Probe
from ckptkit.storage.replacing import backup_of, is_own, refuse_other_backup, take_place, waiting

MAX_ROUNDS = 4
"""Mends that follow from each other: a pointer's content may have lost its directory, and so on."""


def repair(
    path: PathLike,
    *,
    write: bool = False,
    lfs_store: PathLike | None = None,
    source: PathLike | None = None,
    backup: bool = True,
) -> Repaired:
    """Find what can be mended with proof in a checkpoint, and mend it where that is asked for.

    Args:
        path: A file, or a bundle's directory.
        write: Change files; without it nothing is written.
        lfs_store: Folder of Git LFS objects, such as `.git/lfs/objects`.
        source: The file that a bundle's lineage names, if it does not stand beside the bundle.
        backup: Whether each file that is changed is kept as `NAME.backup`.

    Returns:
        The mends with their proofs, what is left and why, and what `validate` finds now.

    Raises:
        UsageError: `path` is a link, or a directory that is no single checkpoint.
        NotACheckpointError: There is nothing at `path`.
        TargetExistsError: Another file has the name of a backup.
        WriteError: A file cannot be written; it is as it was.
    """
    root = Path(path)
    is_directory = Probe(root).is_directory
    if root.is_symlink():
        raise UsageError("is a link", where=str(root), fix=f"name what it leads to: {root.resolve()}")
    if is_directory and not is_checkpoint(root):
        raise UsageError("is a directory of several files", where=str(root), fix="name one checkpoint")
    store = None if lfs_store is None else Path(lfs_store)
    origin = None if source is None else Path(source)
    mends: list[Mend] = []
    plans = list(_plans(root, store, origin))
    for _ in range(MAX_ROUNDS):
        todo = [plan for plan in plans if isinstance(plan, Planned)]
        if not write:
            mends = [plan.mend for plan in todo]
        if not write or not todo:
            break
        kept = {mend.path for mend in mends}
        mends += [_made(plan, backup=backup and plan.mend.path not in kept) for plan in todo]
        plans = list(_plans(root, store, origin))
    left = tuple(plan for plan in plans if isinstance(plan, Left))
    (now,) = validate(root).results
    return Repaired(path=str(path), written=write, mends=tuple(mends), left=left, validation=now)


def _plans(root: Path, store: Path | None, source: Path | None) -> Iterator[Planned | Left]:
    """Yield what is to be done in one round; a bundle's manifest is looked at once its files are there."""
    found = False
    for path in _files(root):
        plan = _plan(path, store)
        if plan is not None:
            found = True
            yield plan
    if not found and root.is_dir():
        yield from _manifest(root, source)


def _files(root: Path) -> Iterator[Path]:
    """Yield a file, or the regular files that a bundle lists or that stand for them."""
    if not root.is_dir():
        yield root
        return
    for path in sorted(root.iterdir()):
        if path.is_file() and not path.is_symlink() and not is_own(path.relative_to(root)):
            yield path


def _plan(path: Path, store: Path | None) -> Plan:
    """Return the first thing that is to be mended in one file; None where nothing is known."""
    plan = plan_content(path, store) or plan_directory(path)
    if plan is not None:
        return plan
    if (path.parent / NAME).exists():
        return None  # the names are the manifest's too
    try:
        return plan_names(path)
    except CkptkitError:
        return None  # what validate says of the file is in the result


def _manifest(root: Path, source: Path | None) -> Iterator[Planned | Left]:
    try:
        checkpoint = read(root)
    except CkptkitError:
        return
    yield from plan_manifest(checkpoint, source)


def _made(plan: Planned, *, backup: bool) -> Mend:
    """Carry out one mend: the new file is on disk and was read back before it takes the old one's place."""
    path = Path(plan.mend.path)
    with exclusive(path):
        if backup:
            refuse_other_backup(path)
        with waiting(path) as new:
            plan.write(new)
            take_place(path, new, backup=backup)
    return replace(plan.mend, backup=str(backup_of(path)) if backup else "")
