"""Inert values built by hand, as the pickle machine would give them."""

from ckptkit.model.dtype import BY_NAME
from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.source import MemorySource

F32 = BY_NAME["F32"]


def storage(elements: int = 16) -> Storage:
    """Return a storage of so many zeros of four bytes."""
    return Storage(MemorySource(bytes(4 * elements), "storage"))


def tensor(*shape: int, at: Storage | None = None, offset: int = 0) -> Tensor:
    """Return a contiguous F32 view."""
    return Tensor(F32, shape, contiguous_strides(shape), offset, at or storage())


def instance(name: str, state: object = None, *args: object) -> Instance:
    """Return an object of the class `module.Name`."""
    module, _, cls = name.rpartition(".")
    return Instance(ClassRef(module, cls), args, state=state)


def module(
    parameters: dict[str, object] | None = None,
    buffers: dict[str, object] | None = None,
    children: dict[str, object] | None = None,
    **attributes: object,
) -> Instance:
    """Return a pickled module."""
    registries = {"_parameters": parameters or {}, "_buffers": buffers or {}, "_modules": children or {}}
    return instance("own.Module", registries | attributes)
