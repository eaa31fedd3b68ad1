"""RL-Snake's directory: `NAME/NAME.zip`, a Stable-Baselines3 zip, with the extractor's sidecars."""

from pathlib import Path

from ckptkit.errors import CkptkitError, NotACheckpointError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.readers import Reader
from ckptkit.storage.probe import Probe
from ckptkit.storage.sb3.beside import Beside
from ckptkit.storage.sb3.members import is_sb3


def recognises(probe: Probe) -> bool:
    """Whether the directory holds a Stable-Baselines3 zip of its own name and no other checkpoint.

    Where it holds others, or folders that may, it is no single checkpoint: its files are read
    one by one instead.
    """
    path = _zip_of(probe)
    return path is not None and Beside(path).is_single() and _is_sb3_zip(path)


def _zip_of(probe: Probe) -> Path | None:
    """Return `NAME/NAME.zip` for the directory `NAME`; None where it is not there."""
    if not probe.is_directory:
        return None
    name = probe.path.absolute().name
    path = probe.path / f"{name}.zip"
    return path if name and path.is_file() else None


def _is_sb3_zip(path: Path) -> bool:
    try:
        archive = Probe(path).zip
    except CkptkitError:
        # Read as a directory, the broken zip is reported with its own place in the message.
        return True
    return archive is not None and is_sb3(archive)


def read(probe: Probe) -> Checkpoint:
    """Read the directory's zip and the sidecars; see `storage.sb3.assemble.read`.

    Raises:
        CkptkitError: A member or a sidecar is missing, broken, or of an unknown version.
    """
    path = _zip_of(probe)
    archive = None if path is None else Probe(path).zip
    if path is None or archive is None:
        raise NotACheckpointError("holds no zip of its own name", where=str(probe.path))
    from ckptkit.storage.sb3 import assemble  # which a file of another format has no need of

    return assemble.read(archive, path, directory=True)


READER = Reader("sb3-directory", "directory NAME with a Stable-Baselines3 NAME.zip", recognises, read)
