"""BatchRenorm1d, as sb3-contrib's CrossQ has it (sb3-contrib 2.9.2, `common/modules.py`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect, features
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect(
        features(types[0]) == attrs["num_features"], f"takes {attrs['num_features']} features, got {types[0]}"
    )
    return [types[0]]


def _parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    size = (attrs["num_features"],)
    return {
        "ra_mean": Parameter(size, buffer=True),
        "ra_var": Parameter(size, buffer=True),
        "steps": Parameter((), "I64", buffer=True),
        "scale": Parameter(size),
        "bias": Parameter(size),
    }


def _onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    variance = scope.one("Add", scope.parameter("ra_var"), scope.scalar(attrs["eps"]))
    centred = scope.one("Sub", inputs[0], scope.parameter("ra_mean"))
    y = scope.one("Div", centred, scope.one("Sqrt", variance))
    if not attrs["affine"]:
        return [y]
    return [scope.one("Add", scope.one("Mul", y, scope.parameter("scale")), scope.parameter("bias"))]


def _torch(attrs: Attrs) -> Callable[..., Any]:
    from ckptkit.nn import modules

    return modules.BatchRenorm1d(**attrs)


LAYERS = (
    LayerType(
        type="BatchRenorm1d",
        summary="(x - ra_mean) / sqrt(ra_var + eps) · scale + bias; training renormalises the batch.",
        infer=_infer,
        parameters=_parameters,
        onnx=_onnx,
        torch=_torch,
        defaults={"eps": 0.001, "momentum": 0.01, "affine": True, "warmup_steps": 100_000},
    ),
)
