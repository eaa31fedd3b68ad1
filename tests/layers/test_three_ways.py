"""Shape rule, torch module and ONNX lowering of every layer type agree over generated uses."""

import numpy as np
import onnx
import pytest
import torch

from ckptkit.graph.onnx_model import IR_VERSION, OPSET
from ckptkit.graph.shapes import infer
from ckptkit.layers import vocabulary
from tests.layers import networks
from tests.layers.cases import CASES, Case

SEEDS = 8
# torch says once that a projection is slower than what it does without one.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
EVERY = [(name, seed) for name in CASES for seed in range(SEEDS)]


def use(name: str, seed: int) -> Case:
    return CASES[name](networks.seeded(name, seed))


def evaluated(name: str, case: Case, seed: int) -> object:
    made = vocabulary()[name].torch(networks.full(name, case.attrs))
    networks.randomise(made, seed)
    return made.eval() if isinstance(made, torch.nn.Module) else made


def test_every_word_has_a_case() -> None:
    assert set(CASES) == set(vocabulary())
    assert len(CASES) >= 75


@pytest.mark.parametrize(("name", "seed"), EVERY)
def test_shape_rule_torch_and_onnx_agree(name: str, seed: int) -> None:
    case = use(name, seed)
    infer(networks.graph(name, case))
    made = evaluated(name, case, seed)
    built = networks.model(name, case, networks.state(made))
    onnx.checker.check_model(built, full_check=True)
    assert [entry.version for entry in built.opset_import] == [OPSET]
    assert built.ir_version == IR_VERSION
    types = networks.given(name, case)
    for size in (3, 1, 0):
        inputs = networks.feed(case, size, seed)
        with torch.no_grad():
            wanted = networks.outputs(made, inputs)
        for value, found in zip(types, wanted, strict=True):
            assert list(found.shape) == [size if axis is None else axis for axis in value.shape]
            assert found.dtype == networks.torch_dtype(value.dtype)
        for run in (networks.onnx_runtime, networks.reference) if size else (networks.onnx_runtime,):
            for found, want in zip(run(built, case, inputs), wanted, strict=True):
                assert found.shape == tuple(want.shape)
                assert found.dtype == want.numpy().dtype
                np.testing.assert_allclose(found, want.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "seed"), EVERY)
def test_parameters_are_those_of_the_module(name: str, seed: int) -> None:
    case = use(name, seed)
    attrs = networks.full(name, case.attrs)
    described = vocabulary()[name].parameters(attrs)
    found = networks.state(vocabulary()[name].torch(attrs))
    assert list(found) == list(described)
    for key, value in found.items():
        assert tuple(value.shape) == described[key].shape
        assert value.dtype == networks.torch_dtype(described[key].dtype)


@pytest.mark.parametrize("name", CASES)
def test_the_same_layer_gives_the_same_bytes(name: str) -> None:
    case = use(name, 0)
    made = networks.state(evaluated(name, case, 0))
    assert networks.model(name, case, made) == networks.model(name, case, made)


@pytest.mark.parametrize("name", CASES)
def test_modules_can_be_made_without_memory(name: str) -> None:
    attrs = networks.full(name, use(name, 0).attrs)
    with torch.device("meta"):
        made = vocabulary()[name].torch(attrs)
    assert all(value.is_meta for value in networks.state(made).values())
