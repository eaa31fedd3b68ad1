"""Bare state dicts: tensors by name, in nested dicts and lists, or a tensor alone."""

from ckptkit.errors import NotACheckpointError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.contents import Contents, state_dict_contents
from ckptkit.model.finding import Verdict
from ckptkit.model.naming import flatten, kind_of
from ckptkit.model.torch_layout import STATE_DICT
from ckptkit.readers import Reader
from ckptkit.storage import entry_beside, yaml_beside
from ckptkit.storage.probe import Probe
from ckptkit.storage.torch_contents import has_layout, read_torch


def _recognises(probe: Probe) -> bool:
    return has_layout(probe, STATE_DICT)


def _read(probe: Probe) -> Checkpoint:
    """Read the file; what stands among the tensors is training info.

    Raises:
        NotACheckpointError: It holds no tensor and is no empty state dict either.
        UnsupportedTensorError: A tensor has no form in a bundle.
    """
    checkpoint = read_torch(probe, STATE_DICT, _sort)
    root = probe.torch.root if probe.torch else None
    if not checkpoint.tensors and root != {} and checkpoint.verdict is not Verdict.UNSAFE:
        raise NotACheckpointError(
            f"a torch file that holds no tensors, only a {kind_of(root)}", where=str(probe.path)
        )
    return entry_beside.attach(yaml_beside.attach(checkpoint, probe.path), probe.path)


def _sort(root: object) -> Contents:
    named = flatten(root)
    return state_dict_contents(named.tensors, named.rest, named.notes)


READER = Reader(STATE_DICT, "a bare torch state dict", _recognises, _read)
