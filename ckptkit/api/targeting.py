"""From the paths that changed to the checkpoints that they belong to."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ckptkit.model.manifest import NAME
from ckptkit.storage import changes

PathLike = str | os.PathLike[str]


def bundles(paths: Iterable[PathLike]) -> tuple[Path, ...]:
    """Return each path's bundle, or the path itself where it lies in none; each once, in order.

    A path may name what is no longer there: a member that was deleted has changed its bundle.
    """
    return tuple(dict.fromkeys(_root(Path(path)) for path in paths))


def changed_since(revision: str, paths: Iterable[PathLike]) -> tuple[Path, ...]:
    """Return the checkpoints at or below `paths` that have changed since a revision of the git repository.

    Files that git does not track yet count as changed. What was deleted counts where it was part of a
    bundle that still stands.

    Raises:
        UsageError: There is no repository, git is missing, or it does not know the revision.
    """
    return tuple(path for path in bundles(_changed(revision, paths)) if os.path.lexists(path))


def _changed(revision: str, paths: Iterable[PathLike]) -> Iterator[Path]:
    for path in paths:
        yield from changes.since(revision, Path(path))


def _root(path: Path) -> Path:
    """Return the nearest folder at or above `path` that holds a manifest, else `path`."""
    for folder in (path, *path.parents):
        if (folder / NAME).is_file():
            return folder
    return path
