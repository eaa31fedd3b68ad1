"""Stable-Baselines3 zips: `data`, `policy.pth`, optimizers, and sidecars that belong to them."""

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.readers import Reader
from ckptkit.storage.probe import Probe
from ckptkit.storage.sb3.members import is_sb3


def recognises(probe: Probe) -> bool:
    """Whether the file is a zip with the members that Stable-Baselines 2 or 3 writes."""
    return not probe.is_directory and probe.zip is not None and is_sb3(probe.zip)


def read(probe: Probe) -> Checkpoint:
    """Read the zip; see `storage.sb3.assemble.read`.

    Raises:
        CkptkitError: A member or a sidecar is missing, broken, or of an unknown version.
    """
    if probe.zip is None:
        raise UnreadableCheckpointError("is no zip", where=str(probe.path))
    from ckptkit.storage.sb3 import assemble  # which a file of another format has no need of

    return assemble.read(probe.zip, probe.path, directory=False)


READER = Reader("sb3-zip", "Stable-Baselines3 model zip, 0.8 to 2.x", recognises, read)
