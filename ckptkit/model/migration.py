"""What `migrate` returns: one result a file, and all of them together."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What became of a file; of a dry run, what would.

    `CONVERTED`: a bundle was made from it; `CURRENT`: it is one already, or has been made one;
    `NO_CHECKPOINT`: left alone; `REFUSED`: it is unsafe, of an unknown version, or its bundle has no
    place; `FAILED`: it could not be read, or its bundle not be written.
    """

    CONVERTED = "converted"
    CURRENT = "current"
    NO_CHECKPOINT = "not-a-checkpoint"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What became of one file.

    Attributes:
        path: The file, or the bundle directory.
        target: Where its bundle is; empty where there is none.
        backup: Where the source waits; empty where it stayed at `path`, or was not kept.
        format: Id of the reader; empty where nothing was read.
        level: Level of the bundle; None where none was made.
        content_digest: Hex, over the model's tensors; empty where nothing was written.
        sidecars: Files that were read with it; they stay where they are.
        reason: Why it was refused, could not be read, or is no checkpoint.
        fix: What the user can do about that.
        notes: What keeps the bundle from a higher level, and other things to know.
    """

    path: str
    fate: Fate
    target: str = ""
    backup: str = ""
    format: str = ""
    level: int | None = None
    content_digest: str = ""
    sidecars: tuple[str, ...] = ()
    reason: str = ""
    fix: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What `migrate` did or, with `dry_run`, would do.

    Attributes:
        target: The mirrored file or tree; empty for a migration in place.
        to: `v2` or `deploy`.
        files: In the order of the tree.
    """

    source: str
    target: str
    to: str
    dry_run: bool
    files: tuple[Migrated, ...]


def tally(files: Iterable[Migrated]) -> dict[str, int]:
    """Return how many files had each fate, in the order of `Fate`."""
    fates = [file.fate for file in files]
    return {str(fate): fates.count(fate) for fate in Fate}
