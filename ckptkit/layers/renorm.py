"""BatchRenorm1d, as CrossQ has it (sb3-contrib 2.9.2, `common/torch_layers.py`)."""

from collections.abc import Mapping, Sequence

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect_channels, own_module
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    expect_channels(types[0], attrs["num_features"], {2})
    return types


def _parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    """Return the affine pair whether it is used or not: sb3-contrib keeps it all the same."""
    size = (attrs["num_features"],)
    return {
        "scale": Parameter(size),
        "bias": Parameter(size),
        "ra_mean": Parameter(size, buffer=True),
        "ra_var": Parameter(size, buffer=True),
        "steps": Parameter((), "I64", buffer=True),
    }


def _onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    variance = scope.one("Add", scope.parameter("ra_var"), scope.scalar(attrs["eps"]))
    centred = scope.one("Sub", inputs[0], scope.parameter("ra_mean"))
    y = scope.one("Div", centred, scope.one("Sqrt", variance))
    if not attrs["affine"]:
        return [y]
    return [scope.one("Add", scope.one("Mul", y, scope.parameter("scale")), scope.parameter("bias"))]


LAYERS = (
    LayerType(
        type="BatchRenorm1d",
        summary="(x - ra_mean) / sqrt(ra_var + eps) · scale + bias of (batch, num_features); "
        "training renormalises the batch.",
        infer=_infer,
        parameters=_parameters,
        onnx=_onnx,
        torch=own_module("BatchRenorm1d"),
        defaults={"eps": 0.001, "momentum": 0.01, "affine": True, "warmup_steps": 100_000},
    ),
)
