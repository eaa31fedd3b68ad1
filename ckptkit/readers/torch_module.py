"""Whole pickled modules, and objects that hold one: the state dict is derived, no class is needed."""

from dataclasses import replace

from ckptkit.model.checkpoint import Checkpoint, Note
from ckptkit.model.contents import Contents, contents
from ckptkit.model.inert import Instance
from ckptkit.model.modules import attributes, class_name, is_module
from ckptkit.model.torch_layout import MODULE
from ckptkit.readers import Reader
from ckptkit.storage.probe import Probe
from ckptkit.storage.torch_contents import has_layout, read_torch


def _recognises(probe: Probe) -> bool:
    return has_layout(probe, MODULE)


def _read(probe: Probe) -> Checkpoint:
    """Read the file; the tensors are those of the outermost modules.

    Raises:
        UnsupportedTensorError: A tensor or a module was pickled in a form of its own.
        UnreadableCheckpointError: A module holds itself.
    """
    return read_torch(probe, MODULE, _sort)


def _sort(root: object) -> Contents:
    if not isinstance(root, Instance) or is_module(root):
        return contents(root)
    found = contents({key: _opened(value) for key, value in attributes(root).items()})
    message = f"the file holds one object of {class_name(root.cls)}; its attributes are listed as entries"
    return replace(found, notes=(*found.notes, Note("root-object", message)))


def _opened(value: object) -> object:
    """Return the data of a record that the root object carries, such as a policy's metadata."""
    if not isinstance(value, Instance) or is_module(value):
        return value
    entries = dict(value.pairs) | dict(attributes(value).items())
    return entries or value


READER = Reader(MODULE, "a pickled torch module, or an object that holds one", _recognises, _read)
