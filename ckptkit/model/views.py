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
    """Return the logical bytes as mapped pages; None where they do not lie in a file as they are needed.

    They do where they are one run of a stored (not compressed) part of a regular file, little-endian, at an
    address that is a multiple of the element. A tensor that is a whole zip member is compared with its CRC
    first; of a part, only the part is touched.

    Args:
        tensor: Which.
        writable: Whether the pages may be written; what is written stays in this process.
    """
    word, start = tensor.dtype.word, tensor.offset * tensor.dtype.itemsize
    if not tensor.numel or not tensor.is_contiguous or (tensor.storage.big_endian and word > 1):
        return None
    source = tensor.storage.source
    found = mapped(source, start, tensor.nbytes, writable=writable)
    if found is None or found.address % word:
        return None
    verify = getattr(source, "verify", None)
    if verify is not None and tensor.nbytes == source.size:
        verify()
    return found.pages


def as_numpy(tensor: Tensor) -> "np.ndarray[Any, Any]":
    """Return a read-only array; see `Tensor.numpy`."""
    import numpy as np

    found = buffer(tensor, writable=False)
    data = tensor.tobytes() if found is None else found
    return np.frombuffer(data, NUMPY[tensor.dtype.name]).reshape(tensor.shape)


def as_torch(tensor: Tensor) -> "torch.Tensor":
    """Return a tensor of torch; see `Tensor.torch`."""
    import torch

    dtype = getattr(torch, tensor.dtype.torch, None)
    if dtype is None:
        raise UnsupportedTensorError(f"torch {torch.__version__} has no {tensor.dtype.torch}")
    if not tensor.numel:
        return torch.empty(tensor.shape, dtype=dtype)
    data: memoryview | bytearray | None = buffer(tensor, writable=True)
    if data is None:
        data = bytearray(tensor.tobytes())
    return torch.frombuffer(data, dtype=dtype).reshape(tensor.shape)


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
