"""Conv and ConvTranspose over one, two and three axes (torch 2.13, `torch/nn/modules/conv.py`)."""

from collections.abc import Callable, Mapping, Sequence

from ckptkit.layers import (
    Attrs,
    LayerType,
    Parameter,
    Types,
    behind_batch,
    expect,
    expect_channels,
    torch_nn,
)
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def out_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return the output length along one axis; zero or less where the kernel does not fit."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _channels(attrs: Attrs) -> None:
    expect(
        attrs["in_channels"] % attrs["groups"] == 0 and attrs["out_channels"] % attrs["groups"] == 0,
        f"{attrs['in_channels']} and {attrs['out_channels']} channels do not divide into "
        f"{attrs['groups']} groups",
    )


def _infer(rank: int, attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect_channels(value, attrs["in_channels"], {rank + 2})
    _channels(attrs)
    geometry = (attrs[name] for name in ("kernel_size", "stride", "padding", "dilation"))
    sizes = [out_size(*axis) for axis in zip(behind_batch(value)[1:], *geometry, strict=True)]
    expect(min(sizes) > 0, f"kernel {attrs['kernel_size']} does not fit into {value}")
    return [ValueType("F32", (None, attrs["out_channels"], *sizes))]


def _transposed_infer(rank: int, attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect_channels(value, attrs["in_channels"], {rank + 2})
    _channels(attrs)
    sizes = []
    names = ("kernel_size", "stride", "padding", "dilation", "output_padding")
    for size, kernel, stride, padding, dilation, extra in zip(
        behind_batch(value)[1:], *(attrs[name] for name in names), strict=True
    ):
        expect(extra < max(stride, dilation), "output_padding is not smaller than stride or dilation")
        sizes.append((size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1)
    expect(min(sizes) > 0, f"padding {attrs['padding']} leaves nothing of {value}")
    return [ValueType("F32", (None, attrs["out_channels"], *sizes))]


def _parameters(first: str, second: str) -> Callable[[Attrs], Mapping[str, Parameter]]:
    def parameters(attrs: Attrs) -> Mapping[str, Parameter]:
        weight = Parameter((attrs[first], attrs[second] // attrs["groups"], *attrs["kernel_size"]))
        bias = {"bias": Parameter((attrs["out_channels"],))} if attrs["bias"] else {}
        return {"weight": weight, **bias}

    return parameters


def _onnx(op: str, scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    tensors = [scope.parameter("weight")] + ([scope.parameter("bias")] if attrs["bias"] else [])
    extra = {"output_padding": attrs["output_padding"]} if "output_padding" in attrs else {}
    return scope.node(
        op,
        [*inputs, *tensors],
        kernel_shape=attrs["kernel_size"],
        strides=attrs["stride"],
        pads=[*attrs["padding"], *attrs["padding"]],
        dilations=attrs["dilation"],
        group=attrs["groups"],
        **extra,
    )


def _conv(rank: int) -> LayerType:
    return LayerType(
        type=f"Conv{rank}d",
        summary=f"Cross-correlation over {rank} {'axes' if rank > 1 else 'axis'}; "
        "weight is (out, in / groups, kernel…).",
        infer=lambda attrs, types: _infer(rank, attrs, types),
        parameters=_parameters("out_channels", "in_channels"),
        onnx=lambda scope, attrs, inputs: _onnx("Conv", scope, attrs, inputs),
        torch=torch_nn(f"Conv{rank}d"),
        defaults=_defaults(rank),
    )


def _transposed(rank: int) -> LayerType:
    return LayerType(
        type=f"ConvTranspose{rank}d",
        summary=f"The gradient of Conv{rank}d by its input; weight is (in, out / groups, kernel…).",
        infer=lambda attrs, types: _transposed_infer(rank, attrs, types),
        parameters=_parameters("in_channels", "out_channels"),
        onnx=lambda scope, attrs, inputs: _onnx("ConvTranspose", scope, attrs, inputs),
        torch=torch_nn(f"ConvTranspose{rank}d"),
        defaults={**_defaults(rank), "output_padding": [0] * rank},
    )


def _defaults(rank: int) -> Attrs:
    sizes = {"stride": [1] * rank, "padding": [0] * rank, "dilation": [1] * rank}
    return {**sizes, "groups": 1, "bias": True}


LAYERS = (*(_conv(rank) for rank in (1, 2, 3)), *(_transposed(rank) for rank in (1, 2, 3)))
