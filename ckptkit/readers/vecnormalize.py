"""A `vecnormalize.pkl` on its own: statistics of a Stable-Baselines3 run, and no tensors."""

from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.readers import Reader
from ckptkit.storage.probe import Probe
from ckptkit.storage.sb3 import normalizer
from ckptkit.storage.sb3.collected import Collected


def recognises(probe: Probe) -> bool:
    """Whether the file is a pickle whose first global is SB3's `VecNormalize`."""
    return not probe.is_directory and normalizer.is_normalizer(probe.head)


def read(probe: Probe) -> Checkpoint:
    """Read the statistics as the one preprocessing step of a checkpoint without tensors.

    Raises:
        CkptkitError: The pickle is broken or holds no `VecNormalize`.
    """
    name = probe.path.name
    found = Collected(files=[SourceFile(name, "statistics", probe.source)])
    read = normalizer.read(probe.source, name, found)
    return Checkpoint(
        path=str(probe.path),
        format="sb3-vecnormalize",
        container="pickle",
        files=tuple(found.files),
        spaces=read.spaces if read else {},
        preprocessing=(read.entry,) if read else (),
        verdict=found.verdict,
        code=tuple(found.code),
        globals=tuple(found.globals),
        dropped=tuple(found.dropped),
        notes=tuple(found.notes),
        carries_code=False,
    )


READER = Reader("sb3-vecnormalize", "Stable-Baselines3 VecNormalize statistics", recognises, read)
