"""Remove a checkpoint so that no part of it ever stands under its name."""

from pathlib import Path

from ckptkit.storage.atomic import outcome
from ckptkit.storage.leftovers import temporary
from ckptkit.storage.swap import remove, sync_directory


def discard(path: Path) -> None:
    """Remove a file or a directory: it leaves its name in one step, then its bytes go.

    What a run that dies in between leaves behind is hidden, and the next write beside it clears it away.

    Raises:
        WriteError: The system refuses; `path` is as it was.
    """
    with outcome(path):
        hidden = temporary(path)
        path.rename(hidden)
        sync_directory(path.parent)
        remove(hidden)
