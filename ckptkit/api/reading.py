"""Find and read checkpoints."""

import os
from collections.abc import Iterator
from pathlib import Path

from ckptkit import checks, readers
from ckptkit.errors import CkptkitError, NotACheckpointError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.storage.probe import Probe
from ckptkit.storage.walk import candidates

PathLike = str | os.PathLike[str]


def read(path: PathLike) -> Checkpoint:
    """Read a checkpoint of any supported format; tensor bytes stay on disk.

    Args:
        path: A file, a bundle directory, or a directory that is one checkpoint.

    Raises:
        NotACheckpointError: Nothing there is a checkpoint.
        UnreadableCheckpointError: It is one, and its bytes break the format's rules.
        UnknownVersionError: It is of a format version that this ckptkit does not know.
        UnsupportedTensorError: It holds a tensor that no bundle can carry.
    """
    probe = Probe(path)
    return readers.find(probe).read(probe)


def find(path: PathLike) -> Iterator[Path]:
    """Yield the checkpoints at `path`: itself, or all below a directory, in a stable order.

    A file that is no checkpoint is passed over; one that is broken is yielded, since reading
    it says what is wrong.

    Raises:
        NotACheckpointError: There is nothing at `path`.
    """
    root = Path(path)
    if not Probe(root).is_directory:
        yield root
        return
    for candidate in candidates(root, _is_checkpoint):
        if candidate == root or _is_checkpoint(candidate):
            yield candidate


def _is_checkpoint(path: Path) -> bool:
    try:
        readers.find(Probe(path))
    except NotACheckpointError:
        return False
    except CkptkitError:
        return True
    return True


def level_of(code: str) -> int:
    """Return the level that a violation of the rule `code` keeps a checkpoint from."""
    return checks.find(code).level
