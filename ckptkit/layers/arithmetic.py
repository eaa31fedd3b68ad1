"""Elementwise arithmetic: of two inputs, or of one input and a constant of the graph."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ckptkit.layers import Attrs, LayerType, Types, expect, same_shape
from ckptkit.layers.onnx_scope import ELEMENTS, OnnxScope
from ckptkit.model.architecture import Shape, ValueType

if TYPE_CHECKING:
    import numpy as np

NUMPY = {
    "F16": "float16",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "F32": "float32",
    "F64": "float64",
    "I64": "int64",
    "U8": "uint8",
    "BOOL": "bool",
}


def constant(value: object, dtype: str) -> "np.ndarray[Any, Any]":
    """Return a constant attribute (a number, or nested lists of them) as an array of `dtype`."""
    import numpy as np

    return np.array(value, NUMPY[dtype])


def _constant_shape(value: object) -> Shape:
    if not isinstance(value, list):
        return ()
    return (len(value), *_constant_shape(value[0])) if value else (0,)


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    if "value" in attrs:
        expect(len(types) == 1, "takes one input beside its constant value")
        types = [types[0], ValueType(types[0].dtype, _constant_shape(attrs["value"]))]
    expect(len(types) == 2 and types[0].dtype == types[1].dtype, "takes two inputs of one dtype")
    return [ValueType(types[0].dtype, same_shape(types))]


def _binary(name: str, op: str, apply: Callable[[Any, Any], Any], summary: str) -> LayerType:
    def lower(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
        values = list(inputs)
        if "value" in attrs:
            values.append(scope.constant(constant(attrs["value"], scope.types[0].dtype)))
        return [scope.one(op, *values)]

    def make(attrs: Attrs) -> Callable[..., object]:
        import torch

        if "value" not in attrs:
            return apply
        return lambda x: apply(x, torch.as_tensor(attrs["value"], dtype=x.dtype, device=x.device))

    return LayerType(type=name, summary=summary, infer=_infer, onnx=lower, torch=make)


def _maximum(a: Any, b: Any) -> Any:
    return a.maximum(b)


def _minimum(a: Any, b: Any) -> Any:
    return a.minimum(b)


def _cast_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect(attrs["dtype"] in NUMPY, f"cannot cast to {attrs['dtype']}")
    return [ValueType(attrs["dtype"], types[0].shape)]


def _cast_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    from onnx import TensorProto

    return [scope.one("Cast", inputs[0], to=int(getattr(TensorProto, ELEMENTS[attrs["dtype"]])))]


def _cast_torch(attrs: Attrs) -> Callable[..., object]:
    import torch

    return lambda x: x.to(getattr(torch, NUMPY[attrs["dtype"]]))


LAYERS = (
    _binary("Add", "Add", lambda a, b: a + b, "Sum of two inputs, or of one and the constant `value`."),
    _binary("Sub", "Sub", lambda a, b: a - b, "Difference; the constant `value` is what is taken away."),
    _binary("Mul", "Mul", lambda a, b: a * b, "Product of two inputs, or of one and the constant `value`."),
    _binary("Div", "Div", lambda a, b: a / b, "Quotient; the constant `value` is what divides."),
    _binary("Maximum", "Max", _maximum, "The larger of two inputs, or of one and the constant `value`."),
    _binary("Minimum", "Min", _minimum, "The smaller of two inputs, or of one and the constant `value`."),
    LayerType(
        type="Round",
        summary="The nearest whole number; halves go to the even one.",
        infer=lambda _, types: [types[0]],
        onnx=lambda scope, _, inputs: [scope.one("Round", inputs[0])],
        torch=lambda _: lambda x: x.round(),
    ),
    LayerType(
        type="Cast",
        summary="The same numbers as `dtype`.",
        infer=_cast_infer,
        onnx=_cast_onnx,
        torch=_cast_torch,
    ),
)
