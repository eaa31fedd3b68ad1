"""Parameter and MaskedFill: a tensor of the state dict by itself, and forbidden entries."""

from collections.abc import Callable, Sequence
from typing import Any

from ckptkit.layers import (
    Attrs,
    LayerType,
    Parameter,
    Types,
    broadcast,
    expect,
    expect_float,
    own_module,
)
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _mask_infer(_: Attrs, types: Types) -> Sequence[ValueType]:
    value, mask = types
    expect_float(value)
    expect(mask.dtype == "BOOL", f"takes a BOOL mask of what is allowed, got {mask}")
    expect(broadcast(types) == value.shape, f"mask {mask} does not fit {value}")
    return [value]


def _mask_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    return [scope.one("Where", inputs[1], inputs[0], scope.scalar(attrs["value"]))]


def _mask_torch(attrs: Attrs) -> Callable[..., Any]:
    return lambda x, allowed: x.masked_fill(~allowed, attrs["value"])


LAYERS = (
    LayerType(
        type="Parameter",
        summary="The tensor whose state-dict name is the layer's own name; with buffer, not trained.",
        infer=lambda attrs, _: [ValueType(attrs["dtype"], tuple(attrs["shape"]))],
        parameters=lambda attrs: {"": Parameter(tuple(attrs["shape"]), attrs["dtype"], attrs["buffer"])},
        onnx=lambda scope, attrs, _: [scope.parameter("", attrs["dtype"])],
        torch=own_module("FreeParameter"),
        defaults={"dtype": "F32", "buffer": False},
        takes=(0,),
    ),
    LayerType(
        type="MaskedFill",
        summary="The values where the mask is true, and the attribute `value` where it is false.",
        infer=_mask_infer,
        onnx=_mask_onnx,
        torch=_mask_torch,
        defaults={"value": -1e8},
        takes=(2,),
    ),
)
