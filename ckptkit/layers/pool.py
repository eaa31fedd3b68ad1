"""Pooling over one and two axes (torch 2.13, `torch/nn/modules/pooling.py`)."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ckptkit.layers import Attrs, LayerType, Types, behind_batch, expect, expect_float, torch_nn
from ckptkit.layers.conv import out_size
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType

if TYPE_CHECKING:
    import numpy as np

MOST_WEIGHTS = 1 << 20
"""Most elements of the averaging matrix where windows differ in length."""


def _sizes(rank: int, value: ValueType) -> tuple[int, ...]:
    expect_float(value)
    expect(len(value.shape) == rank + 2, f"takes (batch, channels, …) of {rank + 2} axes, got {value}")
    return behind_batch(value)


def _window(attrs: Attrs) -> list[tuple[int, int, int, int]]:
    """Return (kernel, stride, padding, dilation) of each axis."""
    kernel = attrs["kernel_size"]
    stride = kernel if attrs["stride"] is None else attrs["stride"]
    dilation = attrs.get("dilation", [1] * len(kernel))
    return list(zip(kernel, stride, attrs["padding"], dilation, strict=True))


def _pooled(size: int, window: tuple[int, int, int, int], *, ceil: bool) -> int:
    kernel, stride, padding, dilation = window
    if not ceil:
        return out_size(size, kernel, stride, padding, dilation)
    count = -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
    # A last window that would begin in the padding behind is left out.
    return count - ((count - 1) * stride >= size + padding)


def _infer(rank: int, attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    channels, *sizes = _sizes(rank, value)
    given = []
    for size, window in zip(sizes, _window(attrs), strict=True):
        expect(2 * window[2] <= window[0], f"padding {window[2]} is more than half of kernel {window[0]}")
        given.append(_pooled(size, window, ceil=attrs.get("ceil_mode", False)))
    expect(min(given) > 0, f"kernel {attrs['kernel_size']} does not fit into {value}")
    return [ValueType("F32", (None, channels, *given))]


def _ends(scope: OnnxScope, attrs: Attrs) -> list[int]:
    """Return the padding behind each axis: with ceil_mode, up to the end of the last window."""
    ends = []
    for size, window in zip(behind_batch(scope.types[0])[1:], _window(attrs), strict=True):
        kernel, stride, padding, dilation = window
        count = _pooled(size, window, ceil=attrs.get("ceil_mode", False))
        ends.append(max(padding, (count - 1) * stride + dilation * (kernel - 1) + 1 - size - padding))
    return ends


def _max_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    """Pad in a step of its own: onnx's reference evaluator (1.23) reads MaxPool's pads wrongly."""
    (x,) = inputs
    begins, ends = attrs["padding"], _ends(scope, attrs)
    if any((*begins, *ends)):
        x = scope.one("Pad", x, scope.ints(0, 0, *begins, 0, 0, *ends), scope.scalar(-math.inf))
    kernel, strides = attrs["kernel_size"], [stride for _, stride, _, _ in _window(attrs)]
    return scope.node("MaxPool", [x], kernel_shape=kernel, strides=strides, dilations=attrs["dilation"])


def _average_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    return scope.node(
        "AveragePool",
        inputs,
        kernel_shape=attrs["kernel_size"],
        strides=[stride for _, stride, _, _ in _window(attrs)],
        pads=[*attrs["padding"], *attrs["padding"]],
        count_include_pad=int(attrs["count_include_pad"]),
    )


def _is_even(sizes: Sequence[int], out: Sequence[int]) -> bool:
    return all(size % count == 0 for size, count in zip(sizes, out, strict=True))


def _adaptive_infer(rank: int, attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    channels, *sizes = _sizes(rank, value)
    out = attrs["output_size"]
    weights = math.prod((*sizes, *out))
    expect(_is_even(sizes, out) or weights <= MOST_WEIGHTS, f"cannot average {value} over {out} windows")
    return [ValueType("F32", (None, channels, *out))]


def _averages(size: int, out: int) -> "np.ndarray[Any, Any]":
    """Return the (size, out) matrix of means from floor(i size / out) to ceil((i + 1) size / out)."""
    import numpy as np

    matrix = np.zeros((size, out), np.float64)
    for column in range(out):
        first, last = column * size // out, -(-(column + 1) * size // out)
        matrix[first:last, column] = 1 / (last - first)
    return matrix


def _adaptive_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    """Pool where all windows are alike, else multiply by the matrix of all means."""
    import numpy as np

    channels, *sizes = behind_batch(scope.types[0])
    out = attrs["output_size"]
    if _is_even(sizes, out):
        kernel = [size // count for size, count in zip(sizes, out, strict=True)]
        return scope.node("AveragePool", inputs, kernel_shape=kernel, strides=kernel)
    matrix = np.ones((1, 1))
    for size, count in zip(sizes, out, strict=True):
        matrix = np.kron(matrix, _averages(size, count))
    rows = scope.one("Reshape", inputs[0], scope.ints(-1, channels, math.prod(sizes)))
    means = scope.one("MatMul", rows, scope.constant(matrix.astype(np.float32)))
    return [scope.one("Reshape", means, scope.ints(-1, channels, *out))]


def _max(rank: int) -> LayerType:
    return LayerType(
        type=f"MaxPool{rank}d",
        summary="The largest element of each window; what pads counts as -inf.",
        infer=lambda attrs, types: _infer(rank, attrs, types),
        onnx=_max_onnx,
        torch=torch_nn(f"MaxPool{rank}d"),
        defaults={"stride": None, "padding": [0] * rank, "dilation": [1] * rank, "ceil_mode": False},
    )


def _average(rank: int) -> LayerType:
    return LayerType(
        type=f"AvgPool{rank}d",
        summary="The mean of each window; with count_include_pad, of the zeros around it too.",
        infer=lambda attrs, types: _infer(rank, attrs, types),
        onnx=_average_onnx,
        torch=torch_nn(f"AvgPool{rank}d"),
        defaults={"stride": None, "padding": [0] * rank, "count_include_pad": True},
    )


def _adaptive(rank: int) -> LayerType:
    return LayerType(
        type=f"AdaptiveAvgPool{rank}d",
        summary="Means over output_size windows; i is from floor(i · in / out) to ceil((i + 1) · in / out).",
        infer=lambda attrs, types: _adaptive_infer(rank, attrs, types),
        onnx=_adaptive_onnx,
        torch=torch_nn(f"AdaptiveAvgPool{rank}d"),
    )


LAYERS = tuple(kind(rank) for kind in (_max, _average, _adaptive) for rank in (1, 2))
