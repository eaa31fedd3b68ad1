"""Parameter and MaskedFill: a tensor of the state dict by itself, and forbidden entries."""

from collections.abc import Callable, Sequence
from typing import Any

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect, same_shape
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect(not types, "takes no input")
    return [ValueType(attrs["dtype"], tuple(attrs["shape"]))]


def _torch(attrs: Attrs) -> Callable[..., Any]:
    from ckptkit.nn import modules

    return modules.FreeParameter(**attrs)


def _mask_infer(_: Attrs, types: Types) -> Sequence[ValueType]:
    expect(len(types) == 2 and types[1].dtype == "BOOL", "takes values and a boolean mask of what is allowed")
    expect(same_shape(types) == types[0].shape, f"mask {types[1]} does not fit {types[0]}")
    return [types[0]]


def _mask_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    return [scope.one("Where", inputs[1], inputs[0], scope.scalar(attrs["value"]))]


def _mask_torch(attrs: Attrs) -> Callable[..., Any]:
    return lambda x, allowed: x.masked_fill(~allowed, attrs["value"])


LAYERS = (
    LayerType(
        type="Parameter",
        summary="The tensor whose state-dict name is the layer's own name.",
        infer=_infer,
        parameters=lambda attrs: {"": Parameter(tuple(attrs["shape"]), attrs["dtype"], attrs["buffer"])},
        onnx=lambda scope, _attrs, _inputs: [scope.parameter("")],
        torch=_torch,
        defaults={"dtype": "F32", "buffer": False},
    ),
    LayerType(
        type="MaskedFill",
        summary="The values where the mask is true, and the attribute `value` where it is false.",
        infer=_mask_infer,
        onnx=_mask_onnx,
        torch=_mask_torch,
        defaults={"value": -1e8},
    ),
)
