"""Atomic outputs: a target is what it was before, or complete; never anything between.

Everything is written beside the target under a name that ends in `.ckptkit-tmp`, brought to disk,
and renamed. That name is locked while its run lives, so that a later run can tell what a dead one
left behind and clear it away.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ckptkit.errors import TargetExistsError, UsageError, WriteError
from ckptkit.storage import together
from ckptkit.storage.leftovers import ASIDE, SET, SUFFIX, temporary, waiting_of
from ckptkit.storage.locks import Lock, exclusive
from ckptkit.storage.output import Output, create
from ckptkit.storage.swap import made_folders, put_in_place, remove, secure, settle, sync_directory

_SPACE = "free some space or choose another disk"
_REASONS = {
    errno.ENOSPC: ("the disk is full", _SPACE),
    errno.EDQUOT: ("the disk quota is used up", _SPACE),
    errno.EFBIG: ("a file of this size is not allowed here", "choose another disk"),
    errno.EACCES: ("may not be written", "check the permissions of its folder"),
    errno.EPERM: ("may not be written", "check the permissions of its folder"),
    errno.EROFS: ("lies on a read-only disk", "choose another path"),
    errno.EXDEV: ("lies on another disk than its folder", "choose another path"),
    errno.ENOTDIR: ("lies below something that is no folder", "choose another path"),
}

WhyNot = Callable[[Path], str]
"""Says why a directory must not be replaced; empty where it may be."""


@contextmanager
def new_file(target: Path, *, force: bool, sources: Iterable[Path] = ()) -> Iterator[Output]:
    """Give a file to write; when the block ends without an error it stands at `target`.

    Args:
        target: Where the file shall be. Missing folders above it are made.
        force: Whether an existing file may be replaced.
        sources: What the contents are made from.

    Raises:
        TargetExistsError: `target` exists and may not be replaced.
        UsageError: `target` is one of `sources`, holds one or lies inside one.
        WriteError: The system does not let it be written; nothing is left behind.
    """

    def check() -> None:
        if os.path.lexists(target):
            _check_file(target, force)

    with outcome(target):
        check()
        _protect(target, sources)
        with _temporary(target, directory=False) as temp:
            with create(temp, exist_ok=True) as output:
                yield output
            _finish(temp, target, check, force)


@contextmanager
def new_directory(
    target: Path, *, force: bool, why_not: WhyNot, sources: Iterable[Path] = ()
) -> Iterator[Path]:
    """Give a directory to fill; when the block ends without an error it stands at `target`.

    Files in it are to be made by `output.create`, which brings them to disk.

    Args:
        target: Where the directory shall be. Missing folders above it are made.
        force: Whether an existing directory may be replaced.
        why_not: Asked before an existing directory is replaced.
        sources: What the contents are made from.

    Raises:
        TargetExistsError: `target` exists and may not be replaced.
        UsageError: `target` is one of `sources`, holds one or lies inside one.
        WriteError: The system does not let it be written; nothing is left behind.
    """

    def check() -> None:
        if os.path.lexists(target):
            _check_directory(target, force, why_not)

    with outcome(target):
        check()
        _protect(target, sources)
        with _temporary(target, directory=True) as temp:
            yield temp
            sync_directory(temp)
            _finish(temp, target, check, force)


@contextmanager
def new_files(
    target: Path, beside: Sequence[str], *, force: bool, sources: Iterable[Path] = ()
) -> Iterator[Mapping[str, Output]]:
    """Give files to write that belong together; when the block ends without an error they stand.

    A run that is killed while they take their places leaves some of them old and some new; the next that has
    this target or writes into the folder finishes that (`together`).

    Args:
        target: Where the main file shall be.
        beside: Paths of the others, relative to its folder with `/`: plain names, or names in a folder that
            is called as `target` without its suffix.
        force: Whether existing files may be replaced.
        sources: What the contents are made from.

    Yields:
        The files by path; the main one by its name.

    Raises:
        TargetExistsError: One exists and may not be replaced, or something else stands where it has to be.
        UsageError: A path leads elsewhere, or as `new_file`.
        WriteError: The system does not let them be written; it says whether anything was.
    """
    together.carry_on(waiting_of(target))
    if not beside:
        with new_file(target, force=force, sources=sources) as output:
            yield {target.name: output}
        with outcome(target):
            together.forget(target)
        return
    places, known = together.places(target, beside), tuple(sources)

    def check() -> None:
        for place in places.values():
            if os.path.lexists(place):
                _check_file(place, force)

    with outcome(target):
        check()
        for place in places.values():
            _protect(place, known)
        with _temporary(target, directory=True) as temp:
            with ExitStack() as stack:
                staged = {path: temp / str(number) for number, path in enumerate(places)}
                outputs = {path: stack.enter_context(create(file)) for path, file in staged.items()}
                yield outputs
                digests = {path: output.sha256() for path, output in outputs.items()}
            with exclusive(target.parent):
                check()
                for path, place in places.items():
                    _keep_permissions(place, staged[path])
                together.forget(target)
                together.promise(temp, target, digests)
                together.keep(temp, target)


def rehearse(target: Path, *, force: bool, sources: Iterable[Path] = ()) -> None:
    """Refuse a target that could not be written, without writing.

    Raises:
        TargetExistsError: `target` exists, and `force` is not set.
        UsageError: As `new_file`.
    """
    if os.path.lexists(target) and not force:
        raise TargetExistsError("exists already", where=str(target), fix="--force replaces it")
    _protect(target, sources)


def _finish(temp: Path, target: Path, check: Callable[[], None], force: bool) -> None:
    check()
    _keep_permissions(target, temp)
    put_in_place(temp, target, replace=force)
    secure(target)


def _keep_permissions(target: Path, temp: Path) -> None:
    """Let a file that replaces another have its permissions."""
    if target.is_file():
        with suppress(OSError):  # some file systems know no permissions
            shutil.copymode(target, temp)


def _check_file(target: Path, force: bool) -> None:
    if target.is_symlink() or not target.is_file():
        raise TargetExistsError("exists and is no regular file; nothing else is replaced", where=str(target))
    if not force:
        raise TargetExistsError("exists already", where=str(target), fix="--force replaces it")


def _check_directory(target: Path, force: bool, why_not: WhyNot) -> None:
    if target.is_symlink() or not target.is_dir():
        raise TargetExistsError("exists and is no directory; nothing else is replaced", where=str(target))
    if not force:
        raise TargetExistsError("exists already", where=str(target), fix="--force replaces a bundle")
    reason = why_not(target)
    if reason:
        raise TargetExistsError(f"{reason}: not replaced", where=str(target), fix="choose another path")


def _protect(target: Path, sources: Iterable[Path]) -> None:
    """Refuse a target that is a source, holds one, or lies inside one."""
    place = Path(os.path.realpath(target))  # `resolve` fails for links that lead in a circle
    for source in sources:
        known = Path(os.path.realpath(source))
        same = os.path.lexists(target) and source.exists() and target.samefile(source)
        if same or place == known or place in known.parents or known in place.parents:
            raise UsageError(
                f"would write over or into the source {source}", where=str(target), fix="choose another path"
            )


@contextmanager
def outcome(target: Path) -> Iterator[None]:
    """Turn what the system refuses into the error that says so.

    Raises:
        TargetExistsError: Something stands where nothing may be replaced.
        WriteError: Anything else that the system refuses.
    """
    try:
        yield
    except FileExistsError as error:
        raise TargetExistsError("appeared while it was being written", where=str(target)) from error
    except OSError as error:
        what, fix = _REASONS.get(error.errno or 0, (f"cannot be written: {error.strerror}", ""))
        raise WriteError(f"{what}; nothing was written", where=str(target), fix=fix) from error


@contextmanager
def _temporary(target: Path, *, directory: bool) -> Iterator[Path]:
    """Make a locked temporary beside `target`; what stands at its name goes when the block ends."""
    with made_folders(target.parent):
        clear_leftovers(target.parent)
        temp, lock = _locked(target, directory)
        try:
            yield temp
        finally:
            lock.release()
            with suppress(OSError):  # else the next run clears it away
                remove(temp)


def _locked(target: Path, directory: bool) -> tuple[Path, Lock]:
    while True:
        temp = temporary(target)
        if directory:
            temp.mkdir()
        else:
            temp.touch(exist_ok=False)
        lock = Lock(temp)
        # Between making and locking it, another run may have taken it for a leftover.
        if os.path.lexists(temp):
            return temp, lock
        lock.release()


def clear_leftovers(folder: Path) -> None:
    """Clear away what runs that died left in `folder`; what a living run holds, or cannot go, stays."""
    for path in folder.glob(f".*{SUFFIX}"):
        lock = Lock(path)
        with suppress(OSError):
            if lock.held:
                remove(path)
        lock.release()
    for path in folder.glob(f".*{SET}"):
        together.carry_on(path)
    for path in folder.glob(f".*{ASIDE}"):
        with suppress(OSError):
            done = settle(path)
            if done:
                remove(done)
