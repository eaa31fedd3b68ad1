"""How far two tensors are apart, read in pieces so that memory is bounded."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ckptkit.model.difference import Distance
from ckptkit.model.float8 import decoded
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK_ELEMENTS = 1 << 18
"""Elements that are compared at once."""
WIDE = ("I64", "U64")
"""Types whose values float64 does not hold."""


def same_bytes(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one type, one shape and the same logical bytes."""
    if (one.dtype.name, one.shape) != (other.dtype.name, other.shape):
        return False
    if one.identity == other.identity:
        return True
    return all(left == right for left, right in zip(_blocks(one), _blocks(other), strict=True))


def distance(one: Tensor, other: Tensor) -> Distance:
    """Measure how far two tensors of one shape are apart; see `Distance`."""
    sums = _Sums()
    for left, right in zip(_blocks(one), _blocks(other), strict=True):
        sums.add(left, right, one.dtype.name, other.dtype.name)
    lengths = math.sqrt(sums.left) * math.sqrt(sums.right)
    return Distance(
        elements=sums.elements,
        total=one.numel,
        not_finite=sums.not_finite,
        norm=math.sqrt(sums.squares),
        largest=sums.largest,
        cosine=max(-1.0, min(1.0, sums.product / lengths)) if lengths else None,
    )


def _blocks(tensor: Tensor) -> Iterator[bytes]:
    """Yield the logical bytes, `BLOCK_ELEMENTS` at a time, whatever pieces the storage gives."""
    size = BLOCK_ELEMENTS * tensor.dtype.itemsize
    rest = bytearray()
    for piece in tensor.pieces(size):
        rest += piece
        while len(rest) >= size:
            yield bytes(rest[:size])
            del rest[:size]
    if rest:
        yield bytes(rest)


@dataclass(slots=True)
class _Sums:
    """What is summed up over the blocks of two tensors."""

    elements: int = 0
    not_finite: int = 0
    squares: float = 0.0
    left: float = 0.0
    right: float = 0.0
    product: float = 0.0
    largest: float = 0.0

    def add(self, left: bytes, right: bytes, left_type: str, right_type: str) -> None:
        import numpy as np

        one, other = decoded(left, left_type), decoded(right, right_type)
        finite = np.isfinite(one) & np.isfinite(other)
        differ = (one != other) & ~(np.isnan(one) & np.isnan(other))
        self.elements += int(differ.sum())
        self.not_finite += int((differ & ~finite).sum())
        gap = _gap(one[finite], other[finite], wide=left_type == right_type and left_type in WIDE)
        a, b = _exact(one[finite]), _exact(other[finite])
        with np.errstate(over="ignore"):
            self.largest = max(self.largest, float(gap.max(initial=0.0)))
            self.squares += float(np.vdot(gap, gap).real)
            self.left += float(np.vdot(a, a).real)
            self.right += float(np.vdot(b, b).real)
            self.product += float(np.vdot(a, b).real)


def _gap(one: "Array", other: "Array", *, wide: bool) -> "Array":
    """Return |other - one| in float64; of 64-bit integers the exact gap, rounded once."""
    import numpy as np

    if not wide:
        with np.errstate(over="ignore"):
            gap: Array = np.abs(_exact(other) - _exact(one))
            return gap
    low, high = np.minimum(one, other).view("<u8"), np.maximum(one, other).view("<u8")
    exact: Array = high - low
    return exact.astype("<f8")


def _exact(values: "Array") -> "Array":
    return values.astype("<c16" if values.dtype.kind == "c" else "<f8")
