"""The files of a bundle directory, each with its bytes or the reason why they cannot be used."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptkit.errors import LimitExceededError, NotACheckpointError, UnreadableCheckpointError
from ckptkit.model.source import Source
from ckptkit.storage import pointer
from ckptkit.storage.source import FileSource

DVC = ".dvc"
MAX_FILES = 10_000
MAX_FOLDERS_DEEP = 16


@dataclass(frozen=True, slots=True)
class Found:
    """One name in a directory or below it.

    Attributes:
        path: Relative to the directory, with `/`.
        source: Its bytes; None where they cannot be used.
        problem: Why; empty otherwise.
        pointer: For a Git LFS or DVC pointer, the hex sha256 of the content that it stands for,
            empty where it states none; None for any other file.
        size: Bytes of that content; None where it is not stated.
    """

    path: str
    source: Source | None
    problem: str = ""
    pointer: str | None = None
    size: int | None = None


def files(folder: Path) -> tuple[Found, ...]:
    """Return everything in `folder` and below it that is no directory, sorted by path.

    Links are listed and not followed. A DVC pointer `X.dvc` is no file of its own: it stands for `X` where
    that is missing.

    Raises:
        LimitExceededError: There are more files than a bundle can have.
        UnreadableCheckpointError: A directory cannot be listed.
    """
    found: dict[str, Found] = {}
    tracked: dict[str, Found] = {}
    for path in _walk(folder, folder, 0):
        one = _look(folder, path)
        by_dvc = one.pointer is not None and path.suffix == DVC
        (tracked if by_dvc else found)[one.path] = one
        if len(found) + len(tracked) > MAX_FILES:
            raise LimitExceededError(f"holds more than {MAX_FILES} files", where=str(folder))
    for one in tracked.values():
        found.setdefault(one.path, one)
    return tuple(found[path] for path in sorted(found))


def _walk(folder: Path, top: Path, depth: int) -> Iterator[Path]:
    if depth > MAX_FOLDERS_DEEP:
        raise LimitExceededError(f"nests folders more than {MAX_FOLDERS_DEEP} deep", where=str(top))
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        raise UnreadableCheckpointError(f"cannot be listed: {error.strerror}", where=str(folder)) from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), top, depth + 1)
        else:
            yield Path(entry.path)


def _look(folder: Path, path: Path) -> Found:
    name = path.relative_to(folder).as_posix()
    if path.is_symlink():
        return Found(name, None, "it is a link")
    try:
        source = FileSource(path)
        what = pointer.parse(source.read(0, min(source.size, pointer.MAX_POINTER_BYTES)))
    except (NotACheckpointError, UnreadableCheckpointError) as error:
        return Found(name, None, error.what)
    if what is not None:
        digest = what.digest if what.algorithm == "sha256" else ""
        beside = what.kind == "dvc" and path.suffix == DVC and what.path == path.stem
        stands_for = name.removesuffix(DVC) if beside else name
        return Found(stands_for, None, pointer.refuse(what, name).what, digest, what.size)
    return Found(name, source)
