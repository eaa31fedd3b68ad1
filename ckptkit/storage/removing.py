"""Remove a checkpoint so that no part of it ever stands under its name."""

import secrets
from pathlib import Path

from ckptkit.storage.atomic import outcome, remove, sync_directory
from ckptkit.storage.leftovers import SUFFIX


def discard(path: Path) -> None:
    """Remove a file or a directory: it leaves its name in one step, then its bytes go.

    What a run that dies in between leaves behind is hidden, and the next write beside it clears it away.

    Raises:
        WriteError: The system refuses; `path` is as it was.
    """
    with outcome(path):
        hidden = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}{SUFFIX}")
        path.rename(hidden)
        sync_directory(path.parent)
        remove(hidden)
