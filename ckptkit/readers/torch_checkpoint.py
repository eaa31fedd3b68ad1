"""Checkpoint dicts: a model beside optimizer state and the facts of a training run."""

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.contents import contents
from ckptkit.model.torch_layout import CHECKPOINT
from ckptkit.readers import Reader
from ckptkit.storage import json_beside, yaml_beside
from ckptkit.storage.probe import Probe
from ckptkit.storage.torch_contents import has_layout, read_torch


def _recognises(probe: Probe) -> bool:
    return has_layout(probe, CHECKPOINT)


def _read(probe: Probe) -> Checkpoint:
    """Read the file and the JSON of its name; the model is found by content, under whatever keys it has.

    Raises:
        UnsupportedTensorError: A tensor has no form in a bundle.
    """
    checkpoint = json_beside.attach(read_torch(probe, CHECKPOINT, contents), probe.path)
    return yaml_beside.attach(checkpoint, probe.path)


READER = Reader(CHECKPOINT, "a torch dict with a model and training state", _recognises, _read)
