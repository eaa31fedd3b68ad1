"""ConstantPad: a border of one value (torch 2.13, `torch/nn/modules/padding.py`)."""

from collections.abc import Sequence

from ckptkit.layers import Attrs, LayerType, Types, behind_batch, expect, expect_float, torch_nn
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _infer(rank: int, attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect_float(value)
    expect(len(value.shape) == rank + 2, f"takes (batch, channels, …) of {rank + 2} axes, got {value}")
    channels, *sizes = behind_batch(value)
    before, after = _borders(attrs)
    padded = [a + size + b for a, size, b in zip(before, sizes, after, strict=True)]
    return [ValueType("F32", (None, channels, *padded))]


def _borders(attrs: Attrs) -> tuple[list[int], list[int]]:
    """Return the borders before and behind each axis, outermost first; `padding` has the last axis first."""
    padding = attrs["padding"]
    return list(padding[::2])[::-1], list(padding[1::2])[::-1]


def _onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    before, after = _borders(attrs)
    borders = scope.ints(0, 0, *before, 0, 0, *after)
    return [scope.one("Pad", inputs[0], borders, scope.scalar(attrs["value"]))]


def _pad(rank: int, order: str) -> LayerType:
    return LayerType(
        type=f"ConstantPad{rank}d",
        summary=f"A border of `value`; `padding` is {order}.",
        infer=lambda attrs, types: _infer(rank, attrs, types),
        onnx=_onnx,
        torch=torch_nn(f"ConstantPad{rank}d"),
        defaults={"value": 0.0},
    )


LAYERS = (_pad(1, "[left, right]"), _pad(2, "[left, right, top, bottom]"))
