"""Linear: y = x W^T + b (torch 2.13, `torch/nn/modules/linear.py`)."""

from collections.abc import Mapping, Sequence

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect_features, torch_nn
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType

BLOCK = 192
"""Products that torch's matrix product (oneMKL, x86) sums in a row: docs/adr/0008-summation-blocks.md."""
MOST_BLOCKS = 6


def blocks(size: int) -> list[int]:
    """Return the lengths of the parts in which torch sums `size` products; one part beyond 1152."""
    if size <= BLOCK or size > MOST_BLOCKS * BLOCK:
        return [size]
    if size <= 2 * BLOCK:
        return [size - size // 2, size // 2]
    rest = size % BLOCK
    return [BLOCK] * (size // BLOCK) + ([rest] if rest else [])


def product(scope: OnnxScope, x: str, weight: str, bias: Sequence[str], size: int) -> str:
    """Return x W^T + b for x of (rows, size), summed in the order in which torch sums it.

    In float32 the order shows where large terms cancel, as in a quantile near zero among others of
    a thousand. torch adds the bias to the first of its blocks, then one block after the other.

    Args:
        scope: Where the nodes go.
        x: Two-dimensional value.
        weight: Value of shape (columns, size).
        bias: Name of a value of shape (columns,), or nothing.
        size: Products in each sum.
    """
    lengths = blocks(size)
    if len(lengths) == 1:
        return scope.one("Gemm", x, weight, *bias, transB=1)
    bounds = scope.ints(*lengths)
    rows = scope.node("Split", [x, bounds], len(lengths), axis=1)
    columns = scope.node("Split", [weight, bounds], len(lengths), axis=1)
    total = scope.one("Gemm", rows[0], columns[0], *bias, transB=1)
    for row, column in zip(rows[1:], columns[1:], strict=True):
        total = scope.one("Add", total, scope.one("Gemm", row, column, transB=1))
    return total


def affine(scope: OnnxScope, x: str, weight: str, bias: Sequence[str], rank: int) -> str:
    """Return x W^T + b over the last axis of x, which has `rank` axes."""
    size = scope.types[0].shape[-1]
    if rank == 2 and size is not None:
        return product(scope, x, weight, bias, size)
    y = scope.one("MatMul", x, scope.one("Transpose", weight, perm=[1, 0]))
    return scope.one("Add", y, *bias) if bias else y


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect_features(value, attrs["in_features"])
    return [ValueType("F32", (*value.shape[:-1], attrs["out_features"]))]


def _parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    weight = {"weight": Parameter((attrs["out_features"], attrs["in_features"]))}
    return weight | ({"bias": Parameter((attrs["out_features"],))} if attrs["bias"] else {})


def _onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    weight = scope.parameter("weight")
    bias = [scope.parameter("bias")] if attrs["bias"] else []
    return [affine(scope, inputs[0], weight, bias, len(scope.types[0].shape))]


LAYERS = (
    LayerType(
        type="Linear",
        summary="y = x W^T + b over the last axis; weight is (out_features, in_features).",
        infer=_infer,
        parameters=_parameters,
        onnx=_onnx,
        torch=torch_nn("Linear"),
        defaults={"bias": True},
    ),
)
