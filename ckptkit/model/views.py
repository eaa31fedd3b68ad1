"""A tensor's elements for a program: an array or a torch tensor over mapped pages, and parts of it.

Only what a program asks for by name is mapped, and of the file only the pages on which it lies. The package
itself reads bytes: a file that is cut short while its pages are mapped ends the process (SIGBUS on POSIX).
"""

import operator
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from ckptkit.errors import UnsupportedTensorError
from ckptkit.model.source import mapped
from ckptkit.model.tensor import NUMPY, Tensor

if TYPE_CHECKING:
    import numpy as np
    import torch

Index = int | slice | EllipsisType | tuple["int | slice | EllipsisType", ...]


def buffer(tensor: Tensor, *, writable: bool) -> memoryview | None:
    """Return the bytes from the first element to the last as mapped pages; None where that cannot be.

    It can where they lie stored (not compressed) in a regular file, little-endian, at an address that is a
    multiple of the element, and, where they may be written, no two elements in one place. A tensor that is a
    whole zip member is compared with its CRC first; of a part, only the part is touched.

    Args:
        tensor: Which, with any strides.
        writable: Whether the pages may be written; what is written stays in this process.

    Raises:
        UnreadableCheckpointError: The bytes are not there, or the file was written to since it was opened.
    """
    if not tensor.numel:
        return None
    source, word, length = tensor.storage.source, tensor.dtype.word, _span(tensor) * tensor.dtype.itemsize
    found = mapped(source, tensor.offset * tensor.dtype.itemsize, length, writable=writable)
    if found is None or found.address % word or (tensor.storage.big_endian and word > 1):
        return None
    if writable and _overlaps(tensor):
        return None
    verify = getattr(source, "verify", None)
    if verify is not None and length == source.size:
        verify()
    return found.pages


def _span(tensor: Tensor) -> int:
    """Return the number of elements from the first to the last, with those between that are not its own."""
    return sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)) + 1


def _overlaps(tensor: Tensor) -> bool:
    """Whether two elements may lie in one place, as those of an expanded tensor do."""
    reach = 0
    for stride, size in sorted(zip(tensor.strides, tensor.shape, strict=True)):
        if size > 1:
            if stride <= reach:
                return True
            reach += (size - 1) * stride
    return False


def as_numpy(tensor: Tensor) -> "np.ndarray[Any, Any]":
    """Return a read-only array; see `Tensor.numpy`."""
    import numpy as np

    dtype = np.dtype(NUMPY[tensor.dtype.name])
    found = buffer(tensor, writable=False)
    if found is None or tensor.is_contiguous:
        data = tensor.tobytes() if found is None else found
        return np.frombuffer(data, dtype).reshape(tensor.shape)
    return np.ndarray(tensor.shape, dtype, found, 0, [stride * dtype.itemsize for stride in tensor.strides])


def as_torch(tensor: Tensor) -> "torch.Tensor":
    """Return a tensor of torch; see `Tensor.torch`."""
    import torch

    dtype = getattr(torch, tensor.dtype.torch, None)
    if dtype is None:
        raise UnsupportedTensorError(f"torch {torch.__version__} has no {tensor.dtype.torch}")
    if not tensor.numel:
        return torch.empty(tensor.shape, dtype=dtype)
    found = buffer(tensor, writable=True)
    if found is None or tensor.is_contiguous:
        data = bytearray(tensor.tobytes()) if found is None else found
        return torch.frombuffer(data, dtype=dtype).reshape(tensor.shape)
    return torch.frombuffer(found, dtype=dtype).as_strided(tensor.shape, tensor.strides)


def part(tensor: Tensor, index: Index) -> Tensor:
    """Return the part of a tensor that numpy's basic indexing names; nothing is read.

    Args:
        tensor: Which.
        index: Whole numbers, slices with a positive step, and at most one `...`.

    Raises:
        IndexError: There are more indices than dimensions, or one lies outside.
        TypeError: An index is of another kind.
        ValueError: A slice runs backwards.
    """
    shape, strides, offset = [], [], tensor.offset
    for size, stride, one in zip(tensor.shape, tensor.strides, _filled(index, tensor), strict=True):
        if isinstance(one, slice):
            start, stop, step = one.indices(size)
            if step < 0:
                raise ValueError("a slice that runs backwards")
            count = len(range(start, stop, step))
            shape.append(count)
            strides.append(stride * step)
            offset += start * stride if count else 0
        else:
            offset += _place(one, size) * stride
    return Tensor(tensor.dtype, tuple(shape), tuple(strides), offset, tensor.storage)


def _filled(index: Index, tensor: Tensor) -> list[int | slice]:
    """Return one index for each dimension."""
    given = index if isinstance(index, tuple) else (index,)
    named = [one for one in given if one is not ...]
    missing = len(tensor.shape) - len(named)
    if missing < 0 or len(given) - len(named) > 1:
        raise IndexError(f"{len(given)} indices for {len(tensor.shape)} dimensions")
    whole: list[int | slice] = [slice(None)] * missing
    at = next((at for at, one in enumerate(given) if one is ...), len(given))
    return [*_plain(given[:at]), *whole, *_plain(given[at + 1 :])]


def _plain(given: "tuple[int | slice | EllipsisType, ...]") -> list[int | slice]:
    return [one if isinstance(one, slice) else operator.index(one) for one in given]  # type: ignore[arg-type]


def _place(index: int, size: int) -> int:
    if not -size <= index < size:
        raise IndexError(f"index {index} for a dimension of size {size}")
    return index % size
