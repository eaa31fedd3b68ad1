"""Conv1d/2d/3d: cross-correlation (torch 2.13, `torch/nn/modules/conv.py`)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType

if TYPE_CHECKING:
    import torch


def out_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return the output length along one axis; zero or less where the kernel does not fit."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _infer(rank: int, attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect(len(value.shape) == rank + 2, f"takes (batch, channels, {rank} axes), got {value}")
    expect(value.shape[1] == attrs["in_channels"], f"takes {attrs['in_channels']} channels, got {value}")
    sizes = []
    geometry = zip(
        value.shape[2:],
        attrs["kernel_size"],
        attrs["stride"],
        attrs["padding"],
        attrs["dilation"],
        strict=True,
    )
    for size, kernel, stride, padding, dilation in geometry:
        out = out_size(size or 0, kernel, stride, padding, dilation)
        expect(out > 0, f"kernel {kernel} does not fit into {value}")
        sizes.append(out)
    return [ValueType(value.dtype, (value.shape[0], attrs["out_channels"], *sizes))]


def _parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    shape = (attrs["out_channels"], attrs["in_channels"] // attrs["groups"], *attrs["kernel_size"])
    return {"weight": Parameter(shape)} | ({"bias": Parameter(shape[:1])} if attrs["bias"] else {})


def _onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    tensors = [scope.parameter("weight")] + ([scope.parameter("bias")] if attrs["bias"] else [])
    return scope.node(
        "Conv",
        [*inputs, *tensors],
        kernel_shape=attrs["kernel_size"],
        strides=attrs["stride"],
        pads=[*attrs["padding"], *attrs["padding"]],
        dilations=attrs["dilation"],
        group=attrs["groups"],
    )


def _conv(rank: int) -> LayerType:
    def make(attrs: Attrs) -> "torch.nn.Module":
        from torch import nn

        module: torch.nn.Module = getattr(nn, f"Conv{rank}d")(**attrs)
        return module

    return LayerType(
        type=f"Conv{rank}d",
        summary=f"Cross-correlation over {rank} axes; weight is (out, in / groups, kernel…).",
        infer=lambda attrs, types: _infer(rank, attrs, types),
        parameters=_parameters,
        onnx=_onnx,
        torch=make,
        defaults={
            "stride": [1] * rank,
            "padding": [0] * rank,
            "dilation": [1] * rank,
            "groups": 1,
            "bias": True,
        },
    )


LAYERS = tuple(_conv(rank) for rank in (1, 2, 3))
