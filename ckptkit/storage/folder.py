"""The files of a bundle directory, each with its bytes or the reason why they cannot be used."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptkit.errors import LimitExceededError, NotACheckpointError, UnreadableCheckpointError
from ckptkit.model.source import Source
from ckptkit.storage import pointer
from ckptkit.storage.source import FileSource

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
    """

    path: str
    source: Source | None
    problem: str = ""
    pointer: str | None = None


def files(folder: Path) -> tuple[Found, ...]:
    """Return everything in `folder` and below it that is no directory, sorted by path.

    Links are listed and not followed.

    Raises:
        LimitExceededError: There are more files than a bundle can have.
        UnreadableCheckpointError: A directory cannot be listed.
    """
    found = []
    for path in _walk(folder, folder, 0):
        found.append(_look(folder, path))
        if len(found) > MAX_FILES:
            raise LimitExceededError(f"holds more than {MAX_FILES} files", where=str(folder))
    return tuple(sorted(found, key=lambda one: one.path))


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
        return Found(name, None, pointer.refuse(what, name).what, digest)
    return Found(name, source)
