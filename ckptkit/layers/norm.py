"""Normalisation with an affine part: BatchNorm, LayerNorm, GroupNorm, RMSNorm.

Sources: torch 2.13, `torch/nn/modules/batchnorm.py` and `normalization.py`.
"""

import math
from collections.abc import Mapping, Sequence

from ckptkit.layers import (
    Attrs,
    LayerType,
    Parameter,
    Types,
    behind_batch,
    expect,
    expect_channels,
    expect_features,
    expect_float,
    torch_nn,
)
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _batch_norm(rank: int) -> LayerType:
    def infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
        expect_channels(types[0], attrs["num_features"], {2, 3} if rank == 1 else {rank + 2})
        return types

    return LayerType(
        type=f"BatchNorm{rank}d",
        summary="(x - running_mean) / sqrt(running_var + eps) · weight + bias, a channel each.",
        infer=infer,
        parameters=_batch_parameters,
        onnx=_batch_onnx,
        torch=torch_nn(f"BatchNorm{rank}d"),
        defaults={"eps": 1e-5, "momentum": 0.1, "affine": True},
    )


def _batch_parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    size = (attrs["num_features"],)
    affine = {"weight": Parameter(size), "bias": Parameter(size)} if attrs["affine"] else {}
    return affine | {
        "running_mean": Parameter(size, buffer=True),
        "running_var": Parameter(size, buffer=True),
        "num_batches_tracked": Parameter((), "I64", buffer=True, optional=True),
    }


def _batch_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    import numpy as np

    size = attrs["num_features"]
    if attrs["affine"]:
        affine = [scope.parameter("weight"), scope.parameter("bias")]
    else:
        affine = [scope.constant(np.ones(size, np.float32)), scope.constant(np.zeros(size, np.float32))]
    running = [scope.parameter("running_mean"), scope.parameter("running_var")]
    return scope.node("BatchNormalization", [*inputs, *affine, *running], epsilon=float(attrs["eps"]))


def _layer_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect_float(value)
    shape = tuple(attrs["normalized_shape"])
    expect(value.shape[-len(shape) :] == shape, f"normalises {list(shape)}, got {value}")
    return types


def _affine(shape: tuple[int, ...], weight: bool, bias: bool) -> Mapping[str, Parameter]:
    return ({"weight": Parameter(shape)} if weight else {}) | ({"bias": Parameter(shape)} if bias else {})


def _layer_parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    affine = attrs["elementwise_affine"]
    return _affine(tuple(attrs["normalized_shape"]), affine, affine and attrs["bias"])


def _layer_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    import numpy as np

    names = list(_layer_parameters(attrs))
    tensors = [scope.parameter(name) for name in names]
    if not tensors:  # ONNX wants a scale
        tensors = [scope.constant(np.ones(attrs["normalized_shape"], np.float32))]
    axis = -len(attrs["normalized_shape"])
    return scope.node("LayerNormalization", [*inputs, *tensors], axis=axis, epsilon=float(attrs["eps"]))


def _rms_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect_features(types[0], attrs["normalized_shape"][0])
    return types


def _rms_parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    return _affine(tuple(attrs["normalized_shape"]), attrs["elementwise_affine"], bias=False)


def _rms_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    """Spell it out: ONNX has RMSNormalization only from opset 23."""
    (x,) = inputs
    # torch takes the smallest difference from 1 of the input's type where eps is left out.
    eps = 1.1920928955078125e-07 if attrs["eps"] is None else attrs["eps"]
    square = scope.one("ReduceMean", scope.one("Mul", x, x), scope.ints(-1), keepdims=1)
    y = scope.one("Div", x, scope.one("Sqrt", scope.one("Add", square, scope.scalar(eps))))
    return [scope.one("Mul", y, scope.parameter("weight")) if attrs["elementwise_affine"] else y]


def _group_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    groups, channels = attrs["num_groups"], attrs["num_channels"]
    expect_channels(value, channels, {2, 3, 4, 5})
    expect(channels % groups == 0, f"{channels} channels do not divide into {groups} groups")
    return types


def _group_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    """Normalise each group as one row; ONNX's GroupNormalization of opset 18 has no weight a channel."""
    import numpy as np

    groups, sizes = attrs["num_groups"], behind_batch(scope.types[0])
    rows = scope.one("Reshape", inputs[0], scope.ints(-1, groups, math.prod(sizes) // groups))
    scale, shift = (scope.constant(np.full(groups, value, np.float32)) for value in (1, 0))
    normal = scope.one("InstanceNormalization", rows, scale, shift, epsilon=float(attrs["eps"]))
    y = scope.one("Reshape", normal, scope.ints(-1, *sizes))
    if not attrs["affine"]:
        return [y]
    shape = scope.ints(-1, *[1] * (len(sizes) - 1))
    weight, bias = (scope.one("Reshape", scope.parameter(name), shape) for name in ("weight", "bias"))
    return [scope.one("Add", scope.one("Mul", y, weight), bias)]


LAYERS = (
    *(_batch_norm(rank) for rank in (1, 2, 3)),
    LayerType(
        type="LayerNorm",
        summary="(x - mean) / sqrt(var + eps) · weight + bias over the last axes, of sizes normalized_shape.",
        infer=_layer_infer,
        parameters=_layer_parameters,
        onnx=_layer_onnx,
        torch=torch_nn("LayerNorm"),
        defaults={"eps": 1e-5, "elementwise_affine": True, "bias": True},
    ),
    LayerType(
        type="RMSNorm",
        summary="x / sqrt(mean(x²) + eps) · weight over the last axis; eps null is float32's epsilon.",
        infer=_rms_infer,
        parameters=_rms_parameters,
        onnx=_rms_onnx,
        torch=torch_nn("RMSNorm"),
        defaults={"eps": None, "elementwise_affine": True},
    ),
    LayerType(
        type="GroupNorm",
        summary="(x - mean) / sqrt(var + eps) over each of num_groups groups of channels, · weight + bias.",
        infer=_group_infer,
        parameters=lambda attrs: _affine((attrs["num_channels"],), attrs["affine"], attrs["affine"]),
        onnx=_group_onnx,
        torch=torch_nn("GroupNorm"),
        defaults={"eps": 1e-5, "affine": True},
    ),
)
