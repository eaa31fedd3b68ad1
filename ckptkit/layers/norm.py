"""Normalisation with an affine part: BatchNorm, LayerNorm, GroupNorm, RMSNorm.

Sources: torch 2.13, `torch/nn/modules/batchnorm.py` and `normalization.py`.
"""

from collections.abc import Callable, Mapping, Sequence

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect, features
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _module(name: str) -> Callable[[Attrs], Callable[..., object]]:
    def make(attrs: Attrs) -> Callable[..., object]:
        from torch import nn

        made: Callable[..., object] = getattr(nn, name)(**attrs)
        return made

    return make


def _batch_norm(rank: int) -> LayerType:
    def infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
        (value,) = types
        expect(
            len(value.shape) in ({2, 3} if rank == 1 else {rank + 2}), f"BatchNorm{rank}d cannot take {value}"
        )
        expect(
            value.shape[1] == attrs["num_features"], f"takes {attrs['num_features']} features, got {value}"
        )
        return [value]

    return LayerType(
        type=f"BatchNorm{rank}d",
        summary="(x - running_mean) / sqrt(running_var + eps) · weight + bias, a channel each.",
        infer=infer,
        parameters=_batch_parameters,
        onnx=_batch_onnx,
        torch=_module(f"BatchNorm{rank}d"),
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
    shape = tuple(attrs["normalized_shape"])
    expect(value.shape[-len(shape) :] == shape, f"normalises {list(shape)}, got {value}")
    return [value]


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
    (value,) = types
    expect(
        [features(value)] == list(attrs["normalized_shape"]),
        f"normalises {attrs['normalized_shape']}, got {value}",
    )
    return [value]


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
    expect(
        len(value.shape) >= 2 and value.shape[1] == attrs["num_channels"], f"GroupNorm cannot take {value}"
    )
    expect(attrs["num_channels"] % attrs["num_groups"] == 0, "channels do not divide into the groups")
    return [value]


def _group_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    import numpy as np

    groups = attrs["num_groups"]
    sizes = [int(size) for size in scope.types[0].shape[1:] if size is not None]
    split = scope.one("Reshape", inputs[0], scope.ints(-1, groups, int(np.prod(sizes)) // groups))
    ones, zeros = np.ones(groups, np.float32), np.zeros(groups, np.float32)
    normal = scope.one(
        "InstanceNormalization",
        split,
        scope.constant(ones),
        scope.constant(zeros),
        epsilon=float(attrs["eps"]),
    )
    y = scope.one("Reshape", normal, scope.ints(-1, *sizes))
    if not attrs["affine"]:
        return [y]
    shape = scope.ints(-1, *[1] * (len(sizes) - 1))
    weight = scope.one("Reshape", scope.parameter("weight"), shape)
    return [
        scope.one("Add", scope.one("Mul", y, weight), scope.one("Reshape", scope.parameter("bias"), shape))
    ]


LAYERS = (
    *(_batch_norm(rank) for rank in (1, 2, 3)),
    LayerType(
        type="LayerNorm",
        summary="(x - mean) / sqrt(var + eps) · weight + bias over the last axes, of sizes normalized_shape.",
        infer=_layer_infer,
        parameters=_layer_parameters,
        onnx=_layer_onnx,
        torch=_module("LayerNorm"),
        defaults={"eps": 1e-5, "elementwise_affine": True, "bias": True},
    ),
    LayerType(
        type="RMSNorm",
        summary="x / sqrt(mean(x²) + eps) · weight over the last axis; eps null is float32's epsilon.",
        infer=_rms_infer,
        parameters=_rms_parameters,
        onnx=_rms_onnx,
        torch=_module("RMSNorm"),
        defaults={"eps": None, "elementwise_affine": True},
    ),
    LayerType(
        type="GroupNorm",
        summary="(x - mean) / sqrt(var + eps) over each of num_groups groups of channels, · weight + bias.",
        infer=_group_infer,
        parameters=lambda attrs: _affine((attrs["num_channels"],), attrs["affine"], attrs["affine"]),
        onnx=_group_onnx,
        torch=_module("GroupNorm"),
        defaults={"eps": 1e-5, "affine": True},
    ),
)
