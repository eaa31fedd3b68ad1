"""Remove a checkpoint so that no part of it ever stands under its name."""

from contextlib import suppress
from pathlib import Path

from ckptkit.errors import WriteError
from ckptkit.storage.leftovers import temporary
from ckptkit.storage.swap import remove, sync_directory


def discard(path: Path) -> None:
    """Remove a file or a directory: it leaves its name in one step, then its bytes go.

    What a run that dies in between leaves behind is hidden, and the next run beside it clears it away.

    Raises:
        WriteError: The system refuses; `path` is as it was.
    """
    hidden = temporary(path)
    try:
        path.rename(hidden)
    except OSError as error:
        what = f"cannot be removed, and is as it was: {error.strerror}"
        raise WriteError(what, where=str(path), fix="check the permissions of its folder") from error
    with suppress(OSError):  # else the next run does it
        sync_directory(path.parent)
        remove(hidden)
