"""Put a finished file or directory in its place, in one step where the system has one, or take it away."""

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ckptkit.errors import WriteError
from ckptkit.storage.leftovers import ASIDE

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2
"""Flags of renameat2 (Linux `include/uapi/linux/fs.h`)."""
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def put_in_place(temp: Path, target: Path, *, replace: bool) -> None:
    """Rename `temp` to `target`.

    Args:
        temp: The finished file or directory, on the same file system.
        target: Its place. What stood there before is gone or, for a directory, stands at `temp`.
        replace: Whether something may stand at `target`.

    Raises:
        FileExistsError: Something stands there and may not be replaced.
        OSError: The system refuses.
    """
    if replace and os.path.lexists(target):
        if temp.is_dir():
            _exchange(temp, target)
        else:
            temp.replace(target)
    elif not _renameat2(temp, target, _NOREPLACE):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        temp.rename(target)


def aside_of(target: Path) -> Path:
    """Return where an old directory waits while the new one takes its place."""
    return target.with_name(f".{target.name}{ASIDE}")


def settle(aside: Path) -> Path | None:
    """Bring an old directory back whose replacement never came.

    Returns:
        `aside` itself where it can be removed, because the replacement did come; else None.
    """
    target = aside.with_name(aside.name[1:].removesuffix(ASIDE))
    if os.path.lexists(target):
        return aside
    aside.rename(target)
    return None


@contextmanager
def made_folders(folder: Path) -> Iterator[None]:
    """Make `folder` and those above it; after an error the ones that were made go again."""
    missing = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = folder.parent
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise


def remove(path: Path) -> None:
    """Remove a file or a directory; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def secure(target: Path) -> None:
    """Bring the name of what stands at `target` to disk.

    Raises:
        WriteError: The system cannot; it stands there all the same.
    """
    try:
        sync_directory(target.parent)
    except OSError as error:
        what = f"stands there, and may be gone after a loss of power: {error.strerror}"
        raise WriteError(what, where=str(target), fix="look after the disk, then write it again") from error


def _exchange(temp: Path, target: Path) -> None:
    if _renameat2(temp, target, _EXCHANGE):
        return
    aside = aside_of(target)
    target.rename(aside)
    try:
        temp.rename(target)
    except OSError:
        aside.rename(target)
        raise
    aside.rename(temp)


def _renameat2(old: Path, new: Path, flags: int) -> bool:
    """Rename with `flags`; False where the system or the file system knows no such call."""
    if not sys.platform.startswith("linux"):
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(new))
