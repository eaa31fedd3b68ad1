"""Find the paths in a directory tree that may be checkpoints."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptkit.storage.leftovers import is_leftover

SKIPPED = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv"})


def candidates(root: Path, claimed: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield, in a stable order, directories that `claimed` takes whole and files of all others.

    Symbolic links to directories are not followed, so that a loop ends. What a killed run of ckptkit left
    behind is passed over.

    Args:
        root: A directory.
        claimed: Whether a directory is one checkpoint by itself.
    """
    if claimed(root):
        yield root
        return
    with os.scandir(root) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if is_leftover(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in SKIPPED:
                yield from candidates(Path(entry.path), claimed)
        elif entry.is_file():
            yield Path(entry.path)


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A directory whose files cannot be named.

    Attributes:
        path: Of the directory.
        reason: Why, as the system says it.
    """

    path: str
    reason: str


def every_file(root: Path) -> Iterator[Path | Unlisted]:
    """Yield, in a stable order, every regular file below a directory, and what could not be listed.

    Symbolic links to directories are not followed, and those in `SKIPPED` are passed over.
    """
    waiting: list[os.DirEntry[str] | Path] = [root]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, Path) or entry.is_dir(follow_symlinks=False):
            if not isinstance(entry, Path) and entry.name in SKIPPED:
                continue
            try:
                with os.scandir(entry) as listing:
                    waiting += sorted(listing, key=lambda one: one.name, reverse=True)
            except OSError as error:
                yield Unlisted(os.fspath(entry), error.strerror or type(error).__name__)
        elif entry.is_file():
            yield Path(entry.path)
