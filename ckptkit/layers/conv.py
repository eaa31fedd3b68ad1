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
        expect(extra < stride, "output_padding is not smaller than stride")
        sizes.append((size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1)
    expect(min(sizes) > 0, f"padding {attrs['padding']} leaves nothing of {value}")
    return [ValueType("F32", (None, attrs["out_channels"], *sizes))]


def _parameters(first: str, second: str) -> Callable[[Attrs], Mapping[str, Parameter]]:
    def parameters(attrs: Attrs) -> Mapping[str, Parameter]:
        weight = Parameter((attrs[first], attrs[second] // attrs["groups"], *attrs["kernel_size"]))
        bias = {"bias": Parameter((attrs["out_channels"],))} if attrs["bias"] else {}
        return {"weight": weight, **bias}

    return parameters


def _geometry(attrs: Attrs) -> Attrs:
    return {
        "kernel_shape": attrs["kernel_size"],
        "strides": attrs["stride"],
        "pads": [*attrs["padding"], *attrs["padding"]],
        "dilations": attrs["dilation"],
    }


def _onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    tensors = [scope.parameter("weight")] + ([scope.parameter("bias")] if attrs["bias"] else [])
    return scope.node("Conv", [*inputs, *tensors], group=attrs["groups"], **_geometry(attrs))


def _transposed_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    """Lower each group by itself: onnx's reference evaluator (1.23) knows no groups here."""
    groups = attrs["groups"]
    rows, columns = attrs["in_channels"] // groups, attrs["out_channels"] // groups

    def parts(value: str, size: int, axis: int) -> list[str]:
        if groups == 1:
            return [value]
        return scope.node("Split", [value, scope.ints(*[size] * groups)], groups, axis=axis)

    operands = [parts(inputs[0], rows, 1), parts(scope.parameter("weight"), rows, 0)]
    if attrs["bias"]:
        operands.append(parts(scope.parameter("bias"), columns, 0))
    extra = {**_geometry(attrs), "output_padding": attrs["output_padding"]}
    made = [scope.one("ConvTranspose", *each, **extra) for each in zip(*operands, strict=True)]
    return made if groups == 1 else [scope.one("Concat", *made, axis=1)]


def _conv(rank: int) -> LayerType:
    return LayerType(
        type=f"Conv{rank}d",
        summary=f"Cross-correlation over {rank} {'axes' if rank > 1 else 'axis'}; "
        "weight is (out, in / groups, kernel…).",
        infer=lambda attrs, types: _infer(rank, attrs, types),
        parameters=_parameters("out_channels", "in_channels"),
        onnx=_onnx,
        torch=torch_nn(f"Conv{rank}d"),
        defaults=_defaults(rank),
    )


def _transposed(rank: int) -> LayerType:
    return LayerType(
        type=f"ConvTranspose{rank}d",
        summary=f"The gradient of Conv{rank}d by its input; weight is (in, out / groups, kernel…).",
        infer=lambda attrs, types: _transposed_infer(rank, attrs, types),
        parameters=_parameters("in_channels", "out_channels"),
        onnx=_transposed_onnx,
        torch=torch_nn(f"ConvTranspose{rank}d"),
        defaults={**_defaults(rank), "output_padding": [0] * rank},
    )


def _defaults(rank: int) -> Attrs:
    sizes = {"stride": [1] * rank, "padding": [0] * rank, "dilation": [1] * rank}
    return {**sizes, "groups": 1, "bias": True}


LAYERS = (*(_conv(rank) for rank in (1, 2, 3)), *(_transposed(rank) for rank in (1, 2, 3)))
