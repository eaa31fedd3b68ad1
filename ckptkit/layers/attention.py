"""MultiheadAttention of a sequence to itself (torch 2.13, `torch/nn/modules/activation.py`)."""

from collections.abc import Mapping, Sequence

from ckptkit.layers import (
    Attrs,
    LayerType,
    Parameter,
    Types,
    behind_batch,
    expect,
    expect_features,
    own_module,
)
from ckptkit.layers.linear import affine
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect(len(value.shape) == 3, f"takes (batch, sequence, embed_dim), got {value}")
    expect_features(value, attrs["embed_dim"])
    behind_batch(value)
    expect(
        attrs["embed_dim"] % attrs["num_heads"] == 0,
        f"embed_dim {attrs['embed_dim']} does not divide into {attrs['num_heads']} heads",
    )
    return types


def _parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    size = attrs["embed_dim"]
    weight, bias = Parameter((3 * size, size)), Parameter((3 * size,))
    if not attrs["bias"]:
        return {"in_proj_weight": weight, "out_proj.weight": Parameter((size, size))}
    return {
        "in_proj_weight": weight,
        "in_proj_bias": bias,
        "out_proj.weight": Parameter((size, size)),
        "out_proj.bias": Parameter((size,)),
    }


def _onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    sequence, size = behind_batch(scope.types[0])
    heads, width = attrs["num_heads"], size // attrs["num_heads"]
    bias = [scope.parameter("in_proj_bias")] if attrs["bias"] else []
    projected = affine(scope, inputs[0], scope.parameter("in_proj_weight"), bias, 3)
    query, key, value = scope.node("Split", [projected, scope.ints(size, size, size)], 3, axis=2)
    shape = scope.ints(-1, sequence, heads, width)
    query, value = (
        scope.one("Transpose", scope.one("Reshape", part, shape), perm=[0, 2, 1, 3])
        for part in (query, value)
    )
    key = scope.one("Transpose", scope.one("Reshape", key, shape), perm=[0, 2, 3, 1])
    scores = scope.one("MatMul", scope.one("Mul", query, scope.scalar(width**-0.5)), key)
    mixed = scope.one("MatMul", scope.one("Softmax", scores, axis=3), value)
    joined = scope.one("Transpose", mixed, perm=[0, 2, 1, 3])
    joined = scope.one("Reshape", joined, scope.ints(-1, sequence, size))
    bias = [scope.parameter("out_proj.bias")] if attrs["bias"] else []
    return [affine(scope, joined, scope.parameter("out_proj.weight"), bias, 3)]


LAYERS = (
    LayerType(
        type="MultiheadAttention",
        summary="Attention of (batch, sequence, embed_dim) to itself, without mask; in_proj_weight has the "
        "rows of query, key, value. Training drops attention weights with probability dropout.",
        infer=_infer,
        parameters=_parameters,
        onnx=_onnx,
        torch=own_module("SelfAttention"),
        defaults={"bias": True, "dropout": 0.0},
    ),
)
