"""Layers that end in fewer numbers or in probabilities: Mean, Sum, ArgMax, Softmax."""

from collections.abc import Callable, Sequence
from typing import Any

from ckptkit.layers import Attrs, LayerType, Types, expect
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _axis(attrs: Attrs, types: Types) -> int:
    axis, value = attrs["axis"], types[0]
    expect(0 < axis < len(value.shape), f"axis {axis} is the batch, or not an axis of {value}")
    return int(axis)


def _reduced(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    axis, (value,) = _axis(attrs, types), types
    kept = (1,) if attrs["keepdim"] else ()
    return [ValueType(value.dtype, (*value.shape[:axis], *kept, *value.shape[axis + 1 :]))]


def _argmax_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    return [ValueType("I64", value.shape) for value in _reduced(attrs, types)]


def _reduction(name: str, op: str, apply: Callable[[Any, Attrs], Any], summary: str) -> LayerType:
    def lower(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
        return [scope.one(op, inputs[0], scope.ints(attrs["axis"]), keepdims=int(attrs["keepdim"]))]

    return LayerType(
        type=name,
        summary=summary,
        infer=_reduced,
        onnx=lower,
        torch=lambda attrs: lambda x: apply(x, attrs),
        defaults={"axis": 1, "keepdim": False},
    )


def _argmax_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    return [scope.one("ArgMax", inputs[0], axis=attrs["axis"], keepdims=int(attrs["keepdim"]))]


def _softmax_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    _axis(attrs, types)
    return [types[0]]


LAYERS = (
    _reduction("Mean", "ReduceMean", lambda x, a: x.mean(a["axis"], a["keepdim"]), "Mean over `axis`."),
    _reduction("Sum", "ReduceSum", lambda x, a: x.sum(a["axis"], a["keepdim"]), "Sum over `axis`."),
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
)
