"""Activations: elementwise; only PReLU has a parameter (torch 2.13, `torch/nn/modules/activation.py`)."""

from collections.abc import Callable, Mapping, Sequence

from ckptkit.layers import Attrs, LayerType, Parameter, Types, behind_batch, expect, expect_float, torch_nn
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType

Lower = Callable[[OnnxScope, Attrs, str], str]


def _infer(_: Attrs, types: Types) -> Sequence[ValueType]:
    expect_float(*types)
    return types


def _hardtanh_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect(attrs["min_val"] < attrs["max_val"], "min_val is not below max_val")
    return _infer(attrs, types)


def _celu_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect(attrs["alpha"] != 0, "alpha is 0, by which it divides")
    return _infer(attrs, types)


def _operator(op: str, *attrs: str) -> Lower:
    """Lower to one ONNX operator whose attributes have the layer's names."""
    return lambda scope, values, x: scope.one(op, x, **{a: float(values[a]) for a in attrs})


def _leaky(scope: OnnxScope, attrs: Attrs, x: str) -> str:
    return scope.one("LeakyRelu", x, alpha=float(attrs["negative_slope"]))


def _hardtanh(scope: OnnxScope, attrs: Attrs, x: str) -> str:
    return scope.one("Clip", x, scope.scalar(attrs["min_val"]), scope.scalar(attrs["max_val"]))


def _relu6(scope: OnnxScope, _: Attrs, x: str) -> str:
    return scope.one("Clip", x, scope.scalar(0.0), scope.scalar(6.0))


def _silu(scope: OnnxScope, _: Attrs, x: str) -> str:
    return scope.one("Mul", x, scope.one("Sigmoid", x))


def _mish(scope: OnnxScope, _: Attrs, x: str) -> str:
    return scope.one("Mul", x, scope.one("Tanh", scope.one("Softplus", x)))


def _gelu(scope: OnnxScope, attrs: Attrs, x: str) -> str:
    """Erf form, or the tanh form (ONNX has Gelu only from opset 20)."""
    if attrs["approximate"] == "tanh":
        cube = scope.one("Mul", scope.one("Mul", scope.one("Mul", x, x), x), scope.scalar(0.044715))
        inner = scope.one("Mul", scope.one("Add", x, cube), scope.scalar(0.7978845608028654))
        gate = scope.one("Tanh", inner)
    else:
        gate = scope.one("Erf", scope.one("Mul", x, scope.scalar(0.7071067811865476)))
    half = scope.one("Mul", x, scope.scalar(0.5))
    return scope.one("Mul", half, scope.one("Add", gate, scope.scalar(1.0)))


def _logsigmoid(scope: OnnxScope, _: Attrs, x: str) -> str:
    return scope.one("Neg", scope.one("Softplus", scope.one("Neg", x)))


def _hardsigmoid(scope: OnnxScope, _: Attrs, x: str) -> str:
    return scope.one("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def _hardswish(scope: OnnxScope, attrs: Attrs, x: str) -> str:
    return scope.one("Mul", x, _hardsigmoid(scope, attrs, x))


def _softshrink(scope: OnnxScope, attrs: Attrs, x: str) -> str:
    return scope.one("Shrink", x, lambd=float(attrs["lambd"]), bias=float(attrs["lambd"]))


def _hardshrink(scope: OnnxScope, attrs: Attrs, x: str) -> str:
    return scope.one("Shrink", x, lambd=float(attrs["lambd"]), bias=0.0)


def _tanhshrink(scope: OnnxScope, _: Attrs, x: str) -> str:
    return scope.one("Sub", x, scope.one("Tanh", x))


def _activation(name: str, lower: Lower, summary: str, **defaults: object) -> LayerType:
    return LayerType(
        type=name,
        summary=summary,
        infer={"Hardtanh": _hardtanh_infer, "CELU": _celu_infer}.get(name, _infer),
        onnx=lambda scope, attrs, inputs: [lower(scope, attrs, inputs[0])],
        torch=torch_nn(name),
        defaults=defaults,
    )


def _prelu_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect_float(*types)
    (value,) = types
    slopes, channels = attrs["num_parameters"], behind_batch(value)[:1]
    expect(slopes == 1 or channels == (slopes,), f"has {slopes} slopes, got {value}")
    return types


def _prelu_parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    return {"weight": Parameter((attrs["num_parameters"],))}


def _prelu_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    slope = scope.parameter("weight")
    if attrs["num_parameters"] > 1:  # ONNX broadcasts from the last axis, torch from the second
        trailing = [1] * (len(scope.types[0].shape) - 2)
        slope = scope.one("Reshape", slope, scope.ints(attrs["num_parameters"], *trailing))
    return [scope.one("PRelu", inputs[0], slope)]


LAYERS = (
    _activation("ReLU", _operator("Relu"), "max(x, 0)."),
    _activation("ReLU6", _relu6, "min(max(x, 0), 6)."),
    _activation("LeakyReLU", _leaky, "x, or negative_slope · x below zero.", negative_slope=0.01),
    _activation("ELU", _operator("Elu", "alpha"), "x, or alpha · (exp x - 1) below zero.", alpha=1.0),
    _activation(
        "CELU", _operator("Celu", "alpha"), "max(x, 0) + min(0, alpha · (exp(x / alpha) - 1)).", alpha=1.0
    ),
    _activation("SELU", _operator("Selu"), "Scaled ELU with its two fixed constants."),
    _activation("GELU", _gelu, "x times the normal distribution function.", approximate="none"),
    _activation("SiLU", _silu, "x · sigmoid(x)."),
    _activation("Mish", _mish, "x · tanh(log(1 + exp x))."),
    _activation("Tanh", _operator("Tanh"), "Hyperbolic tangent."),
    _activation("Sigmoid", _operator("Sigmoid"), "1 / (1 + exp(-x))."),
    _activation("LogSigmoid", _logsigmoid, "log(sigmoid(x))."),
    _activation("Hardsigmoid", _hardsigmoid, "min(max(x / 6 + 1/2, 0), 1)."),
    _activation("Hardswish", _hardswish, "x · hardsigmoid(x)."),
    _activation("Hardtanh", _hardtanh, "x clipped to [min_val, max_val].", min_val=-1.0, max_val=1.0),
    _activation("Hardshrink", _hardshrink, "x, or 0 within ±lambd.", lambd=0.5),
    _activation("Softshrink", _softshrink, "x moved towards 0 by lambd, or 0 within ±lambd.", lambd=0.5),
    _activation("Tanhshrink", _tanhshrink, "x - tanh(x)."),
    _activation("Softplus", _operator("Softplus"), "log(1 + exp x)."),
    _activation("Softsign", _operator("Softsign"), "x / (1 + abs x)."),
    LayerType(
        type="PReLU",
        summary="x, or weight · x below zero; one weight, or one a channel (the second axis).",
        infer=_prelu_infer,
        parameters=_prelu_parameters,
        onnx=_prelu_onnx,
        torch=torch_nn("PReLU"),
        defaults={"num_parameters": 1},
    ),
)
