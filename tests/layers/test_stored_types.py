"""Weights that are stored as another floating type than float32 are computed with as float32."""

import numpy as np
import onnx
import pytest
import torch

from ckptkit.graph.shapes import infer, misfits
from ckptkit.layers import FLOATS, vocabulary
from tests.layers import networks
from tests.layers.cases import CASES

OWNERS = sorted(
    name
    for name in CASES
    if vocabulary()[name].parameters(networks.full(name, CASES[name](networks.seeded(name, 0)).attrs))
)


def test_enough_types_own_tensors() -> None:
    assert len(OWNERS) >= 19


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("dtype", sorted(FLOATS))
@pytest.mark.parametrize("name", OWNERS)
def test_weights_are_cast_to_what_the_layer_computes_with(name: str, dtype: str) -> None:
    case = CASES[name](networks.seeded(name, 1))
    made = vocabulary()[name].torch(networks.full(name, case.attrs))
    networks.randomise(made, 1)
    made.eval()
    stored = {
        key: value.to(networks.torch_dtype(dtype)) if value.is_floating_point() else value
        for key, value in networks.state(made).items()
    }
    for key, value in networks.state(made).items():
        value.data.copy_(stored[key])
    held = {
        f"{networks.NAME}.{k}" if k else networks.NAME: networks.tensor(value) for k, value in stored.items()
    }
    assert list(misfits(infer(networks.graph(name, case)), held)) == []
    built = networks.model(name, case, stored)
    onnx.checker.check_model(built, full_check=True)
    kept = {i.name: i.data_type for i in built.graph.initializer if i.name in held}
    for key, kind in kept.items():
        assert onnx.helper.tensor_dtype_to_np_dtype(kind) == onnx.helper.tensor_dtype_to_np_dtype(
            getattr(onnx.TensorProto, networks.onnx_name(held[key].dtype.name))
        )
    inputs = networks.feed(case, 2, 1)
    with torch.no_grad():
        wanted = networks.outputs(made, inputs)
    for run in (networks.onnx_runtime, networks.reference):
        for found, want in zip(run(built, case, inputs), wanted, strict=True):
            np.testing.assert_allclose(found, want.numpy(), rtol=1e-5, atol=1e-5)
