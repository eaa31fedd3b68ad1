"""CK60x: the values of weights, read one by one. These rules run where they are asked for, or at level 4."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ckptkit.checks import Rule
from ckptkit.errors import CkptkitError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.tensor import NUMPY, PIECE_BYTES, Tensor

if TYPE_CHECKING:
    import numpy as np

_FLOATS = frozenset({"F16", "F32", "F64", "BF16"})


class Values:
    """What the values of one tensor are, found in one pass.

    Attributes:
        nans: Elements that are no number.
        infinities: Elements that are infinite.
        constant: Whether all elements have the same bits.
        first: The first element, as a number.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.nans = self.infinities = 0
        self.constant = True
        self.first = 0.0
        start: np.ndarray[Any, Any] | None = None
        for piece in tensor.pieces(PIECE_BYTES):
            bits, numbers = _decoded(piece, tensor.dtype.name)
            if start is None:
                start, self.first = bits[:1], float(numbers[0])
            self.constant = self.constant and bool((bits == start).all())
            self._count(numbers)

    def _count(self, numbers: "np.ndarray[Any, Any]") -> None:
        import numpy as np

        finite = np.isfinite(numbers)
        if not finite.all():
            nans = int(np.isnan(numbers).sum())
            self.nans += nans
            self.infinities += int((~finite).sum()) - nans


def _decoded(piece: bytes, dtype: str) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Return the bits of a piece as unsigned integers, and its numbers."""
    import numpy as np

    stored = np.dtype(NUMPY[dtype])
    bits = np.frombuffer(piece, f"<u{stored.itemsize}")
    if dtype == "BF16":
        return bits, (bits.astype("<u4") << 16).view("<f4")
    return bits, bits.view(stored)


def check_values(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report tensors that hold NaN (CK601) or an infinity (CK602), or one number throughout (CK603)."""
    seen = set()
    for name, tensor in checkpoint.tensors.items():
        if tensor.dtype.name not in _FLOATS or not tensor.numel or tensor.identity in seen:
            continue
        seen.add(tensor.identity)
        try:
            values = Values(tensor)
        except CkptkitError:
            continue  # the rules on placement and containers say what is wrong with its bytes
        yield from _findings(checkpoint.path, name, tensor, values)


def _findings(path: str, name: str, tensor: Tensor, values: Values) -> Iterator[Finding]:
    total = f"{tensor.numel:,} elements"
    if values.nans:
        yield Finding("CK601", Severity.WARNING, f"{values.nans:,} of its {total} are NaN", path, name)
    if values.infinities:
        yield Finding(
            "CK602", Severity.INFO, f"{values.infinities:,} of its {total} are infinite", path, name
        )
    if values.constant and tensor.numel > 1 and len(tensor.shape) > 1:
        yield Finding("CK603", Severity.INFO, f"each of its {total} is {values.first:g}", path, name)


def check_booleans(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report boolean tensors with bytes that are neither 0 nor 1."""
    for name, tensor in checkpoint.tensors.items():
        if tensor.dtype.name != "BOOL":
            continue
        try:
            odd = sum(len(piece) - piece.count(0) - piece.count(1) for piece in tensor.pieces())
        except CkptkitError:
            continue
        if odd:
            message = f"{odd:,} of its {tensor.numel:,} elements are neither 0 nor 1"
            yield Finding("CK605", Severity.ERROR, message, checkpoint.path, name)


def check_dtypes(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report a model whose floating-point tensors are of several types."""
    by_type: dict[str, list[str]] = {}
    for name, tensor in checkpoint.tensors.items():
        if tensor.dtype.name in _FLOATS:
            by_type.setdefault(tensor.dtype.name, []).append(name)
    if len(by_type) > 1:
        shown = ", ".join(
            f"{len(names):,} {dtype} ({names[0]} …)" for dtype, names in sorted(by_type.items())
        )
        yield Finding("CK604", Severity.INFO, f"tensors are of several types: {shown}", checkpoint.path)


RULES = (
    Rule(
        "CK601",
        "nan-in-weights",
        Severity.WARNING,
        0,
        "A tensor holds NaN.",
        "One NaN in a layer that is used makes every output NaN. A training that diverged saves it without a "
        "word, and comparisons with NaN are false, so that the best checkpoint may be the broken one.",
        "Take an earlier checkpoint. See whether the optimizer's state has NaN as well before training on.",
        check=check_values,
        values=True,
    ),
    Rule(
        "CK602",
        "infinity-in-weights",
        Severity.INFO,
        0,
        "A tensor holds an infinity.",
        "Masks hold minus infinity on purpose. In a weight it is an overflow, often of a cast to float16.",
        "If it is a weight, take an earlier checkpoint, or one in float32.",
        values=True,
    ),
    Rule(
        "CK603",
        "constant-tensor",
        Severity.INFO,
        0,
        "All elements of a matrix or kernel are the same number.",
        "A layer of zeros passes nothing on: it was never trained, or it was put there as a placeholder. "
        "Some networks start a layer at zero on purpose.",
        "See whether the layer was trained, and whether the file is the one that was meant.",
        values=True,
    ),
    Rule(
        "CK605",
        "odd-boolean",
        Severity.ERROR,
        2,
        "A boolean tensor has a byte that is neither 0 nor 1.",
        "No program that works with booleans writes such a byte. What it means is not defined: one library "
        "takes it for true, another adds it up as a number, so that the same file gives different results.",
        "Save the tensor again from a program that has it, or do not use the file.",
        musts=("INT-012",),
        check=check_booleans,
    ),
    Rule(
        "CK604",
        "mixed-types",
        Severity.INFO,
        0,
        "The floating-point tensors of a model are of several types.",
        "Half-precision layers beside float32 ones are usual in mixed-precision training, and a surprise "
        "elsewhere: outputs depend on where the types change.",
        "Nothing, if it is meant.",
        check=check_dtypes,
    ),
)
