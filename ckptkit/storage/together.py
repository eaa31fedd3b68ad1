"""Several files that belong together: a mix of old and new ones never outlives the next run.

All are written into one folder beside the main file. A journal in it says where each goes, which bytes it
has, and which stand there so far. The folder then gets the name that is a promise: from that rename on,
whoever comes next carries on.

| on disk | a run ended | the next run |
|---|---|---|
| `.NAME.….ckptkit-tmp` | before the promise, or after the last file | removes it |
| `.NAME.ckptkit-set` | in between | moves what still lies in it into its place |
| likewise, and a file that is neither the old nor the new | in between, and others wrote | touches nothing |

A journal may be anybody's. It is followed only where it is this user's, all that it names lies in the folder
of the main file or in the one of that file's stem, and every file is, byte for byte, one that it speaks of.
"""

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ckptkit.digest import source_sha256
from ckptkit.errors import CkptkitError, TargetExistsError, UsageError, WriteError
from ckptkit.storage import journal
from ckptkit.storage.journal import Member
from ckptkit.storage.leftovers import temporary, waiting_of
from ckptkit.storage.locks import Lock
from ckptkit.storage.source import FileSource
from ckptkit.storage.swap import made_folders, put_in_place, remove, secure, sync_directory


def places(target: Path, beside: Sequence[str]) -> dict[str, Path]:
    """Return where each file of a set is to be by its path, in the order in which they are moved.

    Args:
        target: Place of the main file.
        beside: Paths of the others, relative to its folder with `/`.

    Raises:
        UsageError: A path leads elsewhere, or to the place of another.
    """
    # Those in a folder come first: where it refuses them, nothing has been moved yet.
    paths = (*sorted(beside, key=lambda path: "/" not in path), target.name)
    if not journal.are_places(paths, target.name):
        what = f"{', '.join(beside)} cannot lie beside a file of this name"
        raise UsageError(what, where=str(target), fix="choose another name")
    return {path: target.parent.joinpath(*path.split("/")) for path in paths}


def promise(temp: Path, target: Path, digests: Mapping[str, str]) -> None:
    """Write the journal of finished files.

    Args:
        temp: Where they lie, under their numbers.
        target: Where the main file is to be.
        digests: The sha256 of each by its path, the main file's last.

    Raises:
        TargetExistsError: A link or a file stands where a folder has to be.
        OSError: The journal cannot be written, or no file be moved into a folder.
        CkptkitError: What stands in a place cannot be read.
    """
    rows = []
    *beside, _ = digests
    for path, place in places(target, beside).items():
        if place.parent != target.parent:
            _refuse_unreachable(place.parent, target.parent)
        rows.append((path, digests[path], _standing(place) or ""))
    journal.write(temp, rows)
    sync_directory(temp)


def keep(temp: Path, target: Path) -> None:
    """Let what lies in `temp`, with its journal, take its places; `temp` holds the journal alone at the end.

    Raises:
        OSError: The system refuses; all is as it was.
        WriteError: It refuses when some files stand already; the next run carries on.
    """
    waiting = waiting_of(target)
    members = journal.read(temp, waiting)
    put_in_place(temp, waiting, replace=False)
    try:
        sync_directory(target.parent)
        _move(members)
    except BaseException as error:
        if _took_back(waiting, temp, members):
            raise
        _move_after_all(members, target)
        _finish(waiting, temp, members)
        if not isinstance(error, OSError):
            raise
    else:
        _finish(waiting, temp, members)


def carry_on(waiting: Path) -> None:
    """Finish what a run began that died; nothing happens where it lives, or a file was changed since."""
    lock = Lock(waiting)
    try:
        if lock.held and _is_followed(waiting):
            members, done = journal.read(waiting, waiting), temporary(waiting)
            _move(members)
            _finish(waiting, done, members)
            remove(done)
    except (OSError, WriteError):
        pass  # it goes on waiting
    finally:
        lock.release()


def forget(target: Path) -> None:
    """Remove what waits for `target` and no run can carry on, now that all of it is written anew.

    Raises:
        OSError: The system refuses.
    """
    waiting = waiting_of(target)
    lock = Lock(waiting)
    try:
        if lock.held:
            # Not under the name of a promise, so that half a removal is none.
            gone = temporary(waiting)
            waiting.rename(gone)
            remove(gone)
    finally:
        lock.release()


def _move(members: Sequence[Member]) -> None:
    """Move what still waits into its place, the main file last."""
    for member in members:
        if os.path.lexists(member.staged):
            with made_folders(member.place.parent):
                put_in_place(member.staged, member.place, replace=bool(member.was))


def _move_after_all(members: Sequence[Member], target: Path) -> None:
    """Move the rest once more after an error or a Ctrl-C: half of it is the one state that nobody wants."""
    try:
        _move(members)
    except OSError as error:
        what = f"its files are not all in their places yet: {error.strerror}"
        fix = "whatever ckptkit writes into this folder next finishes it"
        raise WriteError(what, where=str(target), fix=fix) from error


def _took_back(waiting: Path, temp: Path, members: Sequence[Member]) -> bool:
    """Take the promise back where no file has been moved yet; whether that was done."""
    if not all(os.path.lexists(member.staged) for member in members):
        return False
    try:
        waiting.rename(temp)
    except OSError:
        return False
    return True


def _finish(waiting: Path, done: Path, members: Sequence[Member]) -> None:
    """Bring to disk what was moved; until then the promise stands.

    Raises:
        WriteError: The system cannot.
    """
    for place in {member.place.parent: member.place for member in members}.values():
        secure(place)
    with suppress(OSError):  # else the next run finds all in place
        waiting.rename(done)


def _is_followed(waiting: Path) -> bool:
    """Whether the journal is this user's, and every file is one that it speaks of."""
    if waiting.lstat().st_uid != os.geteuid():
        return False
    try:
        members = journal.read(waiting, waiting)
        return bool(members) and all(_fits(member, waiting.parent) for member in members)
    except CkptkitError:
        return False


def _fits(member: Member, beside: Path) -> bool:
    if member.place.parent != beside and member.place.parent.is_symlink():
        return False
    stands = _standing(member.place)
    if os.path.lexists(member.staged):
        return stands == member.was and _standing(member.staged) == member.sha256
    return stands == member.sha256


def _standing(place: Path) -> str | None:
    """Return the sha256 of the regular file at a place, empty where there is nothing; None for all else."""
    try:
        is_file = stat.S_ISREG(place.lstat().st_mode)
    except FileNotFoundError:
        return ""
    return source_sha256(FileSource(place)) if is_file else None


def _refuse_unreachable(folder: Path, beside: Path) -> None:
    """Refuse a folder, if there is one, that files beside it cannot be renamed into.

    Raises:
        TargetExistsError: It is none.
        OSError: The system would refuse.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise TargetExistsError("exists and is no folder; nothing else is replaced", where=str(folder))
    if folder.stat().st_dev != beside.stat().st_dev:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(folder))
    effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
