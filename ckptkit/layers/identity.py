"""Identity and Dropout: in evaluation, what comes in goes out (torch 2.13, `torch/nn/modules/dropout.py`)."""

from collections.abc import Sequence

from ckptkit.layers import Attrs, LayerType, Types, expect_float, torch_nn
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _dropout_infer(_: Attrs, types: Types) -> Sequence[ValueType]:
    expect_float(*types)
    return types


def _onnx(scope: OnnxScope, _: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    return [scope.one("Identity", inputs[0])]


LAYERS = (
    LayerType(
        type="Identity",
        summary="Its input.",
        infer=lambda _, types: types,
        onnx=_onnx,
        torch=torch_nn("Identity"),
    ),
    LayerType(
        type="Dropout",
        summary="Its input; training zeroes each element with probability p and divides the rest by 1 - p.",
        infer=_dropout_infer,
        onnx=_onnx,
        torch=torch_nn("Dropout"),
        defaults={"p": 0.5},
    ),
)
