"""Layers that end in fewer numbers or in shares: Mean, Sum, ArgMax, Softmax, LogSoftmax, GLU."""

from collections.abc import Callable, Sequence
from typing import Any

from ckptkit.layers import Attrs, LayerType, Types, expect, expect_float
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _size(axis: int, value: ValueType) -> int:
    size = value.shape[axis] if 0 < axis < len(value.shape) else None
    expect(size is not None, f"axis {axis} is the batch, or not an axis of {value}")
    return size or 0


def _reduced(axes: Sequence[int], attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect_float(value)
    for axis in axes:
        _size(axis, value)
    kept = [
        1 if axis in axes else size
        for axis, size in enumerate(value.shape)
        if axis not in axes or attrs["keepdim"]
    ]
    return [ValueType("F32", tuple(kept))]


def _axes(attrs: Attrs) -> list[int]:
    """Return the axes of a reduction, which may be one number."""
    axis = attrs["axis"]
    return [axis] if isinstance(axis, int) else list(axis)


def _reduction(name: str, apply: Callable[[Any, Attrs], Any], summary: str) -> LayerType:
    def lower(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
        axes = scope.ints(*_axes(attrs))
        return [scope.one(f"Reduce{name}", inputs[0], axes, keepdims=int(attrs["keepdim"]))]

    return LayerType(
        type=name,
        summary=summary,
        infer=lambda attrs, types: _reduced(_axes(attrs), attrs, types),
        onnx=lower,
        torch=lambda attrs: lambda x: apply(x, attrs),
        defaults={"axis": 1, "keepdim": False},
    )


def _argmax_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    return [ValueType("I64", value.shape) for value in _reduced([attrs["axis"]], attrs, types)]


def _argmax_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    return [scope.one("ArgMax", inputs[0], axis=attrs["axis"], keepdims=int(attrs["keepdim"]))]


def _softmax_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect_float(*types)
    _size(attrs["axis"], types[0])
    return types


def _glu_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect_float(value)
    axis = attrs["axis"]
    size = _size(axis, value)
    expect(size % 2 == 0, f"axis {axis} of {value} has no two halves")
    return [ValueType("F32", (*value.shape[:axis], size // 2, *value.shape[axis + 1 :]))]


def _glu_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    half = _size(attrs["axis"], scope.types[0]) // 2
    value, gate = scope.node("Split", [inputs[0], scope.ints(half, half)], 2, axis=attrs["axis"])
    return [scope.one("Mul", value, scope.one("Sigmoid", gate))]


def _glu_torch(attrs: Attrs) -> Callable[..., object]:
    from torch import nn

    made: Callable[..., object] = nn.GLU(attrs["axis"])
    return made


LAYERS = (
    _reduction("Mean", lambda x, a: x.mean(a["axis"], a["keepdim"]), "Mean over `axis`, one or several."),
    _reduction("Sum", lambda x, a: x.sum(a["axis"], a["keepdim"]), "Sum over `axis`, one or several."),
    LayerType(
        type="ArgMax",
        summary="Index of the largest element along `axis`; the first of equal ones.",
        infer=_argmax_infer,
        onnx=_argmax_onnx,
        torch=lambda attrs: lambda x: x.argmax(attrs["axis"], attrs["keepdim"]),
        defaults={"axis": 1, "keepdim": False},
    ),
    LayerType(
        type="Softmax",
        summary="exp(x) / sum(exp(x)) along `axis`.",
        infer=_softmax_infer,
        onnx=lambda scope, attrs, inputs: [scope.one("Softmax", inputs[0], axis=attrs["axis"])],
        torch=lambda attrs: lambda x: x.softmax(attrs["axis"]),
        defaults={"axis": 1},
    ),
    LayerType(
        type="LogSoftmax",
        summary="x - log(sum(exp(x))) along `axis`.",
        infer=_softmax_infer,
        onnx=lambda scope, attrs, inputs: [scope.one("LogSoftmax", inputs[0], axis=attrs["axis"])],
        torch=lambda attrs: lambda x: x.log_softmax(attrs["axis"]),
        defaults={"axis": 1},
    ),
    LayerType(
        type="GLU",
        summary="The first half along `axis` times the sigmoid of the second.",
        infer=_glu_infer,
        onnx=_glu_onnx,
        torch=_glu_torch,
        defaults={"axis": 1},
    ),
)
