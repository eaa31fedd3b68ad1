"""Find the paths in a directory tree that may be checkpoints."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

SKIPPED = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv"})


def candidates(root: Path, claimed: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield, in a stable order, directories that `claimed` takes whole and files of all others.

    Symbolic links to directories are not followed, so that a loop ends.

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
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in SKIPPED:
                yield from candidates(Path(entry.path), claimed)
        elif entry.is_file():
            yield Path(entry.path)
