"""Live torch objects as a checkpoint in memory, and trees of a checkpoint as live objects again."""

import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ckptkit.errors import UnsupportedTensorError, UsageError
from ckptkit.model.dtype import BY_TORCH
from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.model.ndvalues import number
from ckptkit.model.plain import MAX_DEPTH, plain
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.recovery.canonical import COMPILED
from ckptkit.storage.source import check_range

if TYPE_CHECKING:
    import torch
    from torch import nn

COPIED: tuple[Any, ...] = (bool, int, float, complex, str, bytes)


class TorchSource:
    """The logical bytes of a torch tensor, little-endian; a tensor of another device is copied once."""

    __slots__ = ("_data", "name", "size")

    def __init__(self, tensor: "torch.Tensor", name: str) -> None:
        import torch

        flat = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
        if sys.byteorder != "little":
            raise UnsupportedTensorError("tensors of a big-endian machine are not written", where=name)
        self._data = memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else memoryview(b"")
        self.name, self.size = name, len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; see `model.source.Source`."""
        check_range(self, offset, length)
        return bytes(self._data[offset : offset + length])

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes at `offset`; see `model.source.read_into`."""
        check_range(self, offset, len(buffer))
        buffer[:] = self._data[offset : offset + len(buffer)]


class Live:
    """Torch tensors as tensors of a checkpoint; those that are one view of one storage stay one."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], tuple[Storage, torch.Tensor]] = {}

    def tensor(self, value: "torch.Tensor", name: str) -> Tensor:
        """Return a tensor whose bytes are read when they are asked for.

        Raises:
            UnsupportedTensorError: It has no bytes of its own, is spread over processes, or of a type that
                no bundle holds.
        """
        import torch

        dtype = BY_TORCH.get(str(value.dtype).removeprefix("torch."))
        plain = value.layout is torch.strided and not value.is_quantized and not value.is_meta
        if dtype is None or not plain or hasattr(value, "full_tensor"):
            what = f"a {value.layout} {value.dtype} tensor on {value.device}"
            raise UnsupportedTensorError(
                f"{what} has no form in a bundle",
                where=name,
                fix="give a dense tensor; gather one that is spread over processes first",
            )
        place = value.data_ptr() if value.numel() else id(value)
        key = (value.device, place, tuple(value.shape), value.stride(), value.dtype)
        if key not in self._seen:
            # The tensor is kept, so that no other one gets its place in memory.
            self._seen[key] = Storage(TorchSource(value, name)), value
        shape = tuple(value.shape)
        return Tensor(dtype, shape, contiguous_strides(shape), 0, self._seen[key][0])

    def tree(self, value: Mapping[Any, Any], path: str) -> dict[str, object]:
        """Return plain data and tensors as `model.tree` defines them.

        Numbers of numpy become Python's; devices and file paths become text.

        Args:
            value: The tree.
            path: What messages call it, and the names of its tensors start with.

        Raises:
            UsageError: Something in it is no plain data, or it is nested too deeply; the message says where.
        """
        found = self._tree(self.checked(value, path), path, 0)
        kept, lost = plain(found, path)
        for one in lost:
            raise UsageError(f"{one.reason} cannot be written", where=one.path)
        return kept if isinstance(kept, dict) else {}

    @staticmethod
    def checked(value: Mapping[Any, Any], path: str) -> Mapping[Any, Any]:
        """Return a mapping as it is.

        Raises:
            UsageError: It is none.
        """
        if not isinstance(value, Mapping):
            raise UsageError(f"must be a dict, is {type(value).__name__}", where=path)
        return value

    def _tree(self, value: object, path: str, depth: int) -> object:
        import torch

        if depth > MAX_DEPTH:
            raise UsageError(f"nested more than {MAX_DEPTH} deep", where=path)
        match value:
            case torch.Tensor():
                return self.tensor(value, path)
            case Mapping():
                pairs = value.items()
                return {_key(key, path): self._tree(item, f"{path}.{key}", depth + 1) for key, item in pairs}
            case list() | tuple():
                items = [self._tree(item, f"{path}.{at}", depth + 1) for at, item in enumerate(value)]
                return items if isinstance(value, list) else tuple(items)
            case set() | frozenset():
                return {_key(item, path) for item in value}
            case _:
                return _leaf(value, path)


class Words(Live):
    """Trees that hold no tensors: one with a single value becomes a number."""

    def tensor(self, value: "torch.Tensor", name: str) -> Any:
        """Return the one value of a tensor.

        Raises:
            UsageError: It has several.
        """
        if value.ndim:
            raise UsageError(
                f"a tensor of shape {list(value.shape)} is no training info",
                where=name,
                fix="save_for_training keeps tensors in extra=",
            )
        return value.item()


def _key(key: object, path: str) -> object:
    found = _leaf(key, f"{path} (key)")
    if isinstance(found, NdArray):
        raise UsageError(f"the key {key!r} is no plain value", where=path)
    return found


def _leaf(value: object, path: str) -> object:
    import numpy as np
    import torch

    match value:
        case np.generic() | Enum():
            return _leaf(value.item() if isinstance(value, np.generic) else value.value, path)
        case np.ndarray() if value.dtype.kind in "biufc":
            data = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
            return NdArray(data.dtype.str, value.shape, data.tobytes())
        case torch.dtype():
            return ClassRef("torch", str(value).removeprefix("torch."))
        case torch.device() | PurePath():
            return str(value)
        case _:
            return _scalar(value, path)


def _scalar(value: object, path: str) -> object:
    """Return a plain value, made anew where it is of a subclass, of which nothing is to stay behind."""
    if value is None or type(value) in COPIED:
        return value
    for kind in COPIED:
        if isinstance(value, kind):
            return kind(value)
    raise UsageError(
        f"a {type(value).__module__}.{type(value).__qualname__} is no plain data",
        where=path,
        fix="give numbers, text, tensors, arrays, and lists, tuples and dicts of them",
    )


def live_tree(value: object, tensor: Any) -> Any:
    """Return a tree of a checkpoint as live Python data.

    Args:
        value: The tree.
        tensor: Gives the torch tensor for each `Tensor`.

    Returns:
        Arrays are numpy's, numbers of numpy are Python's, a torch dtype is torch's own.
    """
    match value:
        case Tensor():
            return tensor(value)
        case Mapping():
            return {key: live_tree(item, tensor) for key, item in value.items()}
        case list():
            return [live_tree(item, tensor) for item in value]
        case tuple():
            return tuple(live_tree(item, tensor) for item in value)
        case NdArray():
            return _array(value)
        case ClassRef(module="torch", name=name) if name in BY_TORCH:
            import torch

            return getattr(torch, name)
        case ClassRef():
            return str(value)
        case _:
            return value


def _array(value: NdArray) -> object:
    found = number(value)
    if found is not None:
        return found
    import numpy as np

    return np.frombuffer(value.data, value.dtype).reshape(value.shape).copy()


def unwrap(model: "nn.Module") -> "nn.Module":
    """Return the module that `DataParallel`, `DistributedDataParallel` and `torch.compile` stand around."""
    from torch import nn

    while True:
        compiled = getattr(model, COMPILED, None)
        if isinstance(compiled, nn.Module):
            model = compiled
        elif isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        else:
            return model


def own_names(names: Iterable[str]) -> dict[str, str]:
    """Return each name without the parts that `torch.compile` puts into it, and the name as it is.

    Raises:
        UsageError: Two names would be one.
    """
    found: dict[str, str] = {}
    for name in names:
        short = ".".join(part for part in name.split(".") if part != COMPILED)
        if found.setdefault(short, name) != name:
            raise UsageError(f"{name} and {found[short]} differ only by what torch.compile adds")
    return found
