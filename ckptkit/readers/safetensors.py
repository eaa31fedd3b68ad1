"""Reader of a bare safetensors file."""

from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.readers import Reader
from ckptkit.storage.probe import Probe
from ckptkit.storage.safetensors_file import is_safetensors, open_safetensors


def recognises(probe: Probe) -> bool:
    """Whether the file starts as safetensors does."""
    return not probe.is_directory and is_safetensors(probe.head)


def read(probe: Probe) -> Checkpoint:
    """Read the header; tensor bytes stay on disk.

    Returns:
        Tensors in the order of their bytes; the header's `__metadata__`, where it says more than
        `{"format": "pt"}`, as `training_info["metadata"]`.

    Raises:
        UnreadableCheckpointError: The header is malformed.
        UnsupportedTensorError: A tensor is of a type that no bundle carries.
    """
    file = open_safetensors(probe.source)
    metadata = dict(file.metadata)
    return Checkpoint(
        path=str(probe.path),
        format="safetensors",
        container="safetensors",
        files=(SourceFile(probe.path.name, "weights", probe.source),),
        tensors=file.tensors(),
        training_info={} if metadata in ({}, {"format": "pt"}) else {"metadata": metadata},
    )


READER = Reader("safetensors", "safetensors file", recognises, read)
