"""Gather a tensor whose elements are not one run of its storage, in bounded memory."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from ckptkit.model.tensor import Tensor

SPAN_BYTES = 8 << 20
"""Upper bound of one read."""
DENSITY = 4
"""A read may fetch at most this many times the bytes it is for, unless it is small."""
SMALL_BYTES = 64 << 10


def gather(tensor: "Tensor", limit: int) -> Iterator[bytes]:
    """Yield the logical bytes of `tensor` in row-major order, at most `limit` at a time.

    Bytes keep the storage's byte order. The output is cut along the leading dimensions; each
    cut is filled by reads that are split along the largest stride until they are small or dense.
    """
    import numpy as np

    for offset, shape, strides in _blocks(
        tensor.offset, tensor.shape, tensor.strides, limit // tensor.dtype.itemsize
    ):
        out = np.empty(shape, f"V{tensor.dtype.itemsize}")
        _fill(tensor, out, offset, strides)
        yield out.tobytes()


def _blocks(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...], limit: int
) -> Iterator[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Cut a view into consecutive row-major blocks of at most `limit` elements."""
    inner = 1
    for size in shape[1:]:
        inner *= size
    if not shape or shape[0] * inner <= max(limit, 1):
        yield offset, shape, strides
    elif inner <= limit:
        rows = limit // inner
        for row in range(0, shape[0], rows):
            yield offset + row * strides[0], (min(rows, shape[0] - row), *shape[1:]), strides
    else:
        for row in range(shape[0]):
            yield from _blocks(offset + row * strides[0], shape[1:], strides[1:], limit)


def _fill(tensor: "Tensor", out: "np.ndarray[Any, Any]", offset: int, strides: tuple[int, ...]) -> None:
    """Copy the view of `out.shape` at `offset` into `out`."""
    import numpy as np

    itemsize = tensor.dtype.itemsize
    span = (sum((size - 1) * stride for size, stride in zip(out.shape, strides, strict=True)) + 1) * itemsize
    if span <= SMALL_BYTES or (span <= SPAN_BYTES and span <= DENSITY * out.nbytes):
        raw = tensor.storage.source.read(offset * itemsize, span)
        flat = np.frombuffer(raw, f"V{itemsize}")
        steps = tuple(stride * itemsize for stride in strides)
        out[...] = np.lib.stride_tricks.as_strided(flat, out.shape, steps, writeable=False)
        return
    axis = max((a for a in range(out.ndim) if out.shape[a] > 1), key=lambda a: strides[a])
    half = out.shape[axis] // 2
    low, high = [slice(None)] * out.ndim, [slice(None)] * out.ndim
    low[axis], high[axis] = slice(0, half), slice(half, None)
    _fill(tensor, out[tuple(low)], offset, strides)
    _fill(tensor, out[tuple(high)], offset + half * strides[axis], strides)
