"""Elementwise arithmetic of two inputs or of one and a constant; matrix products; Round and Cast."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ckptkit.layers import Attrs, LayerType, Types, broadcast, expect, expect_float
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import Shape, ValueType
from ckptkit.model.dtype import BY_NAME

if TYPE_CHECKING:
    import numpy as np

NUMBERS = frozenset({"F32", "F64", "I64"})
"""Element types that ONNX Runtime computes each of these operators with."""
CASTS = frozenset({"BOOL", "U8", "I8", "I16", "I32", "I64", "F16", "F32", "F64"})


def _array(value: object, dtype: str) -> "np.ndarray[Any, Any]":
    """Return a constant attribute (a number, or nested lists of them) as an array of `dtype`."""
    import numpy as np

    return np.array(value, BY_NAME[dtype].torch)


def _constant(value: object, dtype: str) -> Shape:
    """Return the shape of a constant attribute.

    Raises:
        ArchitectureError: Its rows differ in length, or it has a fraction where `dtype` has none.
    """
    if isinstance(value, list | tuple):
        shapes = {_constant(item, dtype) for item in value}
        expect(len(shapes) == 1, "rows of the constant value differ in length")
        return (len(value), *shapes.pop())
    expect(dtype != "I64" or isinstance(value, int), f"constant {value} is not of type {dtype}")
    return ()


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    dtype = types[0].dtype
    expect(dtype in NUMBERS, f"takes {', '.join(sorted(NUMBERS))}, got {types[0]}")
    if "value" in attrs:
        expect(len(types) == 1, "takes one input beside its constant value")
        types = [types[0], ValueType(dtype, _constant(attrs["value"], dtype))]
    expect(len(types) == 2, "takes two inputs, or one and a constant value")
    expect(types[1].dtype == dtype, f"takes two inputs of one dtype, got {types[0]} and {types[1]}")
    return [ValueType(dtype, broadcast(types))]


def _quotient(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect(types[0].dtype != "I64", "divides no integers")
    return _infer(attrs, types)


def _binary(name: str, apply: Callable[[Any, Any], Any], summary: str, op: str = "") -> LayerType:
    def lower(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
        values = list(inputs)
        if "value" in attrs:
            values.append(scope.constant(_array(attrs["value"], scope.types[0].dtype)))
        return [scope.one(op or name, *values)]

    def make(attrs: Attrs) -> Callable[..., object]:
        import torch

        if "value" not in attrs:
            return apply
        return lambda x: apply(x, torch.as_tensor(attrs["value"], dtype=x.dtype, device=x.device))

    infer = _quotient if name == "Div" else _infer
    return LayerType(type=name, summary=summary, infer=infer, onnx=lower, torch=make, takes=(1, 2))


def _matmul_infer(_: Attrs, types: Types) -> Sequence[ValueType]:
    left, right = types
    expect_float(left, right)
    both = f"{left} and {right}"
    expect(min(len(left.shape), len(right.shape)) >= 2, f"takes matrices, got {both}")
    inner = left.shape[-1]
    expect(inner is not None and inner == right.shape[-2], f"cannot multiply {both}")
    # No broadcasting beyond that: ONNX Runtime cannot do it over an empty batch.
    expect(len(right.shape) == 2 or left.shape[:-2] == right.shape[:-2], f"cannot multiply {both}")
    return [ValueType("F32", (*left.shape[:-1], right.shape[-1]))]


def _round_infer(_: Attrs, types: Types) -> Sequence[ValueType]:
    expect_float(*types)
    return types


def _cast_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    return [scope.cast(inputs[0], attrs["dtype"])]


def _cast_torch(attrs: Attrs) -> Callable[..., object]:
    import torch

    return lambda x: x.to(getattr(torch, BY_NAME[attrs["dtype"]].torch))


LAYERS = (
    _binary("Add", lambda a, b: a + b, "Sum of two inputs, or of one and the constant `value`."),
    _binary("Sub", lambda a, b: a - b, "Difference; the constant `value` is what is taken away."),
    _binary("Mul", lambda a, b: a * b, "Product of two inputs, or of one and the constant `value`."),
    _binary("Div", lambda a, b: a / b, "Quotient; the constant `value` is what divides."),
    _binary(
        "Maximum", lambda a, b: a.maximum(b), "The larger of two inputs, or of one and `value`.", op="Max"
    ),
    _binary(
        "Minimum", lambda a, b: a.minimum(b), "The smaller of two inputs, or of one and `value`.", op="Min"
    ),
    LayerType(
        type="MatMul",
        summary="Matrix product over the last two axes; the second input has the axes in front too, or none.",
        infer=_matmul_infer,
        onnx=lambda scope, _, inputs: [scope.one("MatMul", *inputs)],
        torch=lambda _: lambda a, b: a @ b,
        takes=(2,),
    ),
    LayerType(
        type="Round",
        summary="The nearest whole number; halves go to the even one.",
        infer=_round_infer,
        onnx=lambda scope, _, inputs: [scope.one("Round", inputs[0])],
        torch=lambda _: lambda x: x.round(),
    ),
    LayerType(
        type="Cast",
        summary="The same numbers as `dtype`; a fraction is cut off, and any number but 0 is true.",
        infer=lambda attrs, types: [ValueType(attrs["dtype"], types[0].shape)],
        onnx=_cast_onnx,
        torch=_cast_torch,
    ),
)
