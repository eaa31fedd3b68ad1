"""Put a bundle in the place of its source: at every moment the source, or its backup, is whole.

Nothing is written down about how far a run came. What is on disk says it:

| on disk | a run ended |
|---|---|
| the source alone, or with `.NAME.ckptkit-new` | before the bundle took its place |
| the source, and a backup of the same bytes | likewise |
| the source, and a bundle of another name made from it | before the source stepped aside |
| the bundle, with the backup or without | when all was done |
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from ckptkit.errors import TargetExistsError
from ckptkit.storage.atomic import outcome
from ckptkit.storage.leftovers import NEW, is_leftover
from ckptkit.storage.swap import put_in_place, remove, sync_directory

BACKUP = ".backup"
_PIECE_BYTES = 4 << 20


def is_own(path: PurePath) -> bool:
    """Whether a relative path is a backup's, or is or lies in what a killed run left behind."""
    return any(is_leftover(part) for part in path.parts) or path.name.endswith(BACKUP)


def backup_of(source: Path) -> Path:
    """Return where a source waits once its bundle stands."""
    return source.with_name(source.name + BACKUP)


def new_of(source: Path) -> Path:
    """Return where a finished bundle waits to take the place of `source`."""
    return source.with_name(f".{source.name}{NEW}")


@contextmanager
def waiting(source: Path) -> Iterator[Path]:
    """Give the path for a file that shall replace `source`; what stands there at the end goes.

    Raises:
        WriteError: The system refuses; `source` is as it was.
    """
    new = new_of(source)
    with outcome(source):
        remove(new)
        try:
            yield new
        finally:
            with suppress(OSError):
                remove(new)


def take_place(source: Path, new: Path, *, backup: bool) -> None:
    """Let the finished file `new` take the place of `source`, in one step.

    Args:
        source: Its bytes go on as the backup, or go.
        new: On disk already; it gets the times and the permissions of `source`.
        backup: Whether they go on.

    Raises:
        TargetExistsError: Another file has the backup's name.
        WriteError: The system refuses; `source` is as it was.
    """
    with outcome(source):
        had = _same(backup_of(source), source)
        if backup:
            _keep(source, had)
        shutil.copystat(source, new)
        put_in_place(new, source, replace=True)
        if had and not backup:
            backup_of(source).unlink()
        sync_directory(source.parent)


def step_aside(source: Path, target: Path, *, backup: bool) -> None:
    """Let `source` become its backup, or go, now that its bundle stands at `target`.

    Raises:
        TargetExistsError: Another file has the backup's name.
        WriteError: The system refuses; `source` is as it was.
    """
    with outcome(source):
        if target.is_file():
            shutil.copystat(source, target)
        if backup and not _same(backup_of(source), source):
            refuse_other_backup(source)
            put_in_place(source, backup_of(source), replace=False)
        else:
            source.unlink()
        sync_directory(source.parent)


def refuse_other_backup(source: Path) -> None:
    """Refuse to write over a backup of something else.

    Raises:
        TargetExistsError: What has the backup's name does not have the bytes of `source`.
    """
    path = backup_of(source)
    if os.path.lexists(path) and not _same(path, source):
        raise TargetExistsError(
            "exists already and is no copy of the file that is to be kept under its name",
            where=str(path),
            fix="move it away, or give --no-backup",
        )


def _keep(source: Path, had: bool) -> None:
    """Give `source` its backup's name too: as a second link, else as a copy that is on disk."""
    if had:
        return
    refuse_other_backup(source)
    path = backup_of(source)
    try:
        path.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:  # some file systems have no links
        with waiting(path) as copy:
            shutil.copy2(source, copy)
            with copy.open("rb+") as file:
                os.fsync(file.fileno())
            put_in_place(copy, path, replace=False)
    sync_directory(source.parent)


def _same(path: Path, other: Path) -> bool:
    """Whether `path` is a regular file with the bytes of `other`."""
    if path.is_symlink() or not path.is_file():
        return False
    if path.samefile(other):
        return True
    if path.stat().st_size != other.stat().st_size:
        return False
    with path.open("rb") as one, other.open("rb") as two:
        while piece := one.read(_PIECE_BYTES):
            if piece != two.read(_PIECE_BYTES):
                return False
    return True
