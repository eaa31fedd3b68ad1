"""NoisyLinear: a Linear whose weights have learned noise; evaluation uses the means alone.

Source: Fortunato et al. 2018 (arXiv:1706.10295), factorised noise, section 3.
"""

from collections.abc import Mapping, Sequence

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect_features, own_module
from ckptkit.layers.linear import affine
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect_features(value, attrs["in_features"])
    return [ValueType("F32", (*value.shape[:-1], attrs["out_features"]))]


def _parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    rows, columns = attrs["out_features"], attrs["in_features"]
    kept = {
        "factors": {"epsilon_input": (columns,), "epsilon_output": (rows,)},
        "product": {"weight_epsilon": (rows, columns), "bias_epsilon": (rows,)},
    }
    return {
        "weight_mu": Parameter((rows, columns)),
        "weight_sigma": Parameter((rows, columns)),
        "bias_mu": Parameter((rows,)),
        "bias_sigma": Parameter((rows,)),
        **{
            name: Parameter(shape, buffer=True, optional=True) for name, shape in kept[attrs["noise"]].items()
        },
    }


def _onnx(scope: OnnxScope, _: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    weight, bias = scope.parameter("weight_mu"), scope.parameter("bias_mu")
    return [affine(scope, inputs[0], weight, [bias], len(scope.types[0].shape))]


LAYERS = (
    LayerType(
        type="NoisyLinear",
        summary="y = x weight_mu^T + bias_mu; training adds factorised noise and keeps it as `noise` says.",
        infer=_infer,
        parameters=_parameters,
        onnx=_onnx,
        torch=own_module("NoisyLinear"),
        defaults={"std_init": 0.5, "noise": "factors"},
    ),
)
