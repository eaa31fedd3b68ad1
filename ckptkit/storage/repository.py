"""The repository that a path lies in, which reports name files from."""

from pathlib import Path

MARKS = (".git", ".hg")


def root_of(path: Path) -> Path | None:
    """Return the nearest folder at or above `path` that is a checkout; None where there is none."""
    here = path.absolute()
    return next(
        (folder for folder in (here, *here.parents) if any((folder / m).exists() for m in MARKS)), None
    )
