"""Linear: y = x W^T + b (torch 2.13, `torch/nn/modules/linear.py`)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect, features
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType

if TYPE_CHECKING:
    import torch


BLOCK = 192
"""Products that torch's matrix product (oneMKL 2024.2) sums in a row; measured, see docs/adr."""


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect(features(value) == attrs["in_features"], f"takes {attrs['in_features']} features, got {value}")
    return [ValueType(value.dtype, (*value.shape[:-1], attrs["out_features"]))]


def _parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    weight = {"weight": Parameter((attrs["out_features"], attrs["in_features"]))}
    return weight | ({"bias": Parameter((attrs["out_features"],))} if attrs["bias"] else {})


def _onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    weight = scope.parameter("weight")
    if len(scope.types[0].shape) == 2:
        return [_gemm(scope, attrs, inputs[0], weight)]
    product = scope.one("MatMul", inputs[0], scope.one("Transpose", weight, perm=[1, 0]))
    return [scope.one("Add", product, scope.parameter("bias")) if attrs["bias"] else product]


def _gemm(scope: OnnxScope, attrs: Attrs, x: str, weight: str) -> str:
    """Return x W^T + b, summed in the order in which torch sums it.

    In float32 the order shows where large terms cancel (a quantile near zero among others of a
    thousand): torch on x86 sums up to `BLOCK` products in a row, halves what is up to twice as
    long, and adds the bias to the first part. ONNX Runtime sums one Gemm in a row.
    """
    bias = [scope.parameter("bias")] if attrs["bias"] else []
    size = attrs["in_features"]
    if not BLOCK < size <= 2 * BLOCK:
        return scope.one("Gemm", x, weight, *bias, transB=1)
    half = -(-size // 2)
    lengths = scope.ints(half, size - half)
    left, right = scope.node("Split", [x, lengths], 2, axis=1)
    first, second = scope.node("Split", [weight, lengths], 2, axis=1)
    return scope.one(
        "Add", scope.one("Gemm", left, first, *bias, transB=1), scope.one("Gemm", right, second, transB=1)
    )


def _torch(attrs: Attrs) -> "torch.nn.Module":
    from torch import nn

    return nn.Linear(attrs["in_features"], attrs["out_features"], bias=attrs["bias"])


LAYERS = (
    LayerType(
        type="Linear",
        summary="y = x W^T + b over the last axis; weight is (out_features, in_features).",
        infer=_infer,
        parameters=_parameters,
        onnx=_onnx,
        torch=_torch,
        defaults={"bias": True},
    ),
)
