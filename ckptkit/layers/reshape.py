"""Layers that move elements without changing them: Flatten, Reshape, Squeeze and such."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ckptkit.layers import Attrs, LayerType, Types, behind_batch, expect
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType

if TYPE_CHECKING:
    import torch


def _flatten_infer(_: Attrs, types: Types) -> Sequence[ValueType]:
    return [ValueType(types[0].dtype, (None, math.prod(behind_batch(types[0]))))]


def _flatten_onnx(scope: OnnxScope, _: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    # Not Flatten: with an empty batch its output would lose the feature axis.
    return [scope.one("Reshape", inputs[0], scope.ints(-1, math.prod(behind_batch(scope.types[0]))))]


def _reshape_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    shape = tuple(attrs["shape"])
    expect(math.prod(behind_batch(value)) == math.prod(shape), f"{value} does not fill {list(shape)}")
    return [ValueType(value.dtype, (None, *shape))]


def _reshape_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    return [scope.one("Reshape", inputs[0], scope.ints(-1, *attrs["shape"]))]


def _squeeze_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    axis = attrs["axis"]
    expect(value.shape[axis : axis + 1] == (1,), f"axis {axis} of {value} has not the size 1")
    return [ValueType(value.dtype, (*value.shape[:axis], *value.shape[axis + 1 :]))]


def _transpose_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    axes = attrs["axes"]
    expect(sorted(axes) == list(range(len(value.shape))), f"axes {list(axes)} do not permute {value}")
    return [ValueType(value.dtype, tuple(value.shape[axis] for axis in axes))]


def _concat_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    axis, first, every = attrs["axis"], types[0], ", ".join(map(str, types))
    expect(0 < axis < len(first.shape), f"cannot join {every} on axis {axis}")
    rest = {(v.dtype, len(v.shape), v.shape[:axis], v.shape[axis + 1 :]) for v in types}
    expect(len(rest) == 1, f"cannot join {every} on axis {axis}")
    sizes = [value.shape[axis] for value in types]
    expect(None not in sizes, f"cannot join {every} on the batch")
    total = sum(size or 0 for size in sizes)
    return [ValueType(first.dtype, (*first.shape[:axis], total, *first.shape[axis + 1 :]))]


def _slice_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    axis, start, stop = attrs["axis"], attrs["start"], attrs["stop"]
    size = value.shape[axis] if 0 < axis < len(value.shape) else None
    expect(
        size is not None and start < stop <= size, f"[{start}:{stop}] of axis {axis} is not inside {value}"
    )
    return [ValueType(value.dtype, (*value.shape[:axis], stop - start, *value.shape[axis + 1 :]))]


def _slice_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    bounds = (scope.ints(attrs["start"]), scope.ints(attrs["stop"]), scope.ints(attrs["axis"]))
    return [scope.one("Slice", inputs[0], *bounds)]


def _make(
    apply: Callable[["torch.Tensor", Attrs], "torch.Tensor"],
) -> Callable[[Attrs], Callable[..., object]]:
    """Return a layer's torch form for a function of its one input."""
    return lambda attrs: lambda x: apply(x, attrs)


def _torch_concat(attrs: Attrs) -> Callable[..., object]:
    import torch

    return lambda *values: torch.cat(values, attrs["axis"])


LAYERS = (
    LayerType(
        type="Flatten",
        summary="All axes behind the batch become one, in row-major order.",
        infer=_flatten_infer,
        onnx=_flatten_onnx,
        torch=_make(lambda x, _: x.reshape(x.shape[0], x.shape[1:].numel())),
    ),
    LayerType(
        type="Reshape",
        summary="The axes behind the batch become `shape`, in row-major order.",
        infer=_reshape_infer,
        onnx=_reshape_onnx,
        torch=_make(lambda x, attrs: x.reshape(x.shape[0], *attrs["shape"])),
    ),
    LayerType(
        type="Squeeze",
        summary="Without the axis `axis`, whose size is 1; also the first where it is not the batch.",
        infer=_squeeze_infer,
        onnx=lambda scope, attrs, inputs: [scope.one("Squeeze", inputs[0], scope.ints(attrs["axis"]))],
        torch=_make(lambda x, attrs: x.squeeze(attrs["axis"])),
    ),
    LayerType(
        type="Transpose",
        summary="The axes in the order of `axes`, the first counted as 0.",
        infer=_transpose_infer,
        onnx=lambda scope, attrs, inputs: [scope.one("Transpose", inputs[0], perm=attrs["axes"])],
        torch=_make(lambda x, attrs: x.permute(*attrs["axes"])),
    ),
    LayerType(
        type="Concat",
        summary="Inputs joined along `axis`, the first axis counted as 0.",
        infer=_concat_infer,
        onnx=lambda scope, attrs, inputs: scope.node("Concat", inputs, axis=attrs["axis"]),
        torch=_torch_concat,
        defaults={"axis": 1},
        takes=None,
    ),
    LayerType(
        type="Slice",
        summary="Elements start to stop (exclusive) along `axis`.",
        infer=_slice_infer,
        onnx=_slice_onnx,
        torch=_make(lambda x, attrs: x.narrow(attrs["axis"], attrs["start"], attrs["stop"] - attrs["start"])),
        defaults={"axis": 1},
    ),
)
