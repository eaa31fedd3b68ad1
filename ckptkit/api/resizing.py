"""Tensors with one axis longer, by zeros, or shorter."""

import math

from ckptkit.errors import UnsupportedTensorError
from ckptkit.model.float8 import decoded
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.source import MemorySource

NO_ZERO = ("F8_E8M0",)
"""Types whose zero bytes are no zero."""
MOST_BYTES = 1 << 30


def resized(tensor: Tensor, axis: int, size: int) -> Tensor:
    """Return a tensor with `size` places along `axis`: new ones at the end are zero, the last ones go.

    Raises:
        UnsupportedTensorError: It has no zero, or is over `MOST_BYTES`.
    """
    shape = (*tensor.shape[:axis], size, *tensor.shape[axis + 1 :])
    inner = math.prod(tensor.shape[axis + 1 :]) * tensor.dtype.itemsize
    outer = math.prod(tensor.shape[:axis])
    if tensor.dtype.name in NO_ZERO or max(outer * size * inner, tensor.nbytes) > MOST_BYTES:
        raise UnsupportedTensorError(f"a tensor {tensor.dtype}{list(tensor.shape)} cannot be resized")
    data, row = tensor.tobytes(), tensor.shape[axis] * inner
    kept, added = min(row, size * inner), max(0, size * inner - row)
    rows = (data[at : at + kept] + bytes(added) for at in range(0, outer * row, row))
    source = MemorySource(b"".join(rows), tensor.storage.source.name)
    return Tensor(tensor.dtype, shape, contiguous_strides(shape), 0, Storage(source))


def all_zero(tensor: Tensor, axis: int, start: int) -> bool:
    """Whether all values at `start` and beyond along `axis` are zero."""
    values = decoded(tensor.tobytes(), tensor.dtype.name).reshape(tensor.shape)
    rest = values.take(range(start, tensor.shape[axis]), axis)
    return not rest.any()
