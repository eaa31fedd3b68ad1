"""Two networks of the same tensors: both load strictly, and the shown input tells them apart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ckptkit import api
from ckptkit.api import counterexamples as searching
from ckptkit.errors import MissingExtraError
from ckptkit.graph import evaluation
from ckptkit.graph.torch_module import GraphModule
from ckptkit.model.counterexample import Counterexample
from ckptkit.model.recovered import Hints
from ckptkit.recovery.counterexample import MAX_STRIDES, ambiguities
from tests.readers.sb3_models import read
from tests.recovery.seed_models import Dqn, Tower

SHAPE = (2, 36, 36)


def dueling() -> nn.Module:
    return Dqn(SHAPE, 4, dueling=True, noisy=True, atoms=5)


def rows() -> nn.Module:
    """Six actions, or two with three atoms: the tensors do not say."""
    return Dqn(SHAPE, 6, dueling=False, noisy=False, atoms=0)


def tower() -> nn.Module:
    return Tower(planes=4, width=8, depth=1, ratio=0.25, actions=20)


def chain() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


MODELS = {"dueling": dueling, "rows": rows, "tower": tower, "chain": chain}


@pytest.fixture(params=MODELS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / f"{request.param}.pth"
    torch.save(MODELS[request.param]().state_dict(), path)
    return path


def search(path: Path, **hints: object) -> dict[str, Counterexample]:
    found = api.recover(path, counterexample=True, **hints).counterexamples  # type: ignore[arg-type]
    assert found is not None
    return {one.name: one for one in found}


def test_both_networks_load_strictly(path: Path) -> None:
    checkpoint = read(path)
    state = {name: evaluation.as_torch(tensor) for name, tensor in checkpoint.tensors.items()}
    pairs = list(ambiguities(checkpoint, Hints()))
    assert len(pairs) >= 2
    for pair in pairs:
        assert pair.first.graph != pair.second.graph
        for graph in (pair.first.graph, pair.second.graph):
            GraphModule(graph).load_state_dict(state, strict=True)


def test_the_shown_input_gives_the_shown_outputs(path: Path) -> None:
    """The input of the report, given to both networks again, gives what the report says, in torch."""
    checkpoint = read(path)
    found = search(path)["activation"]
    assert found.largest is not None
    assert found.largest > 0
    pair = next(one for one in ambiguities(checkpoint, Hints()) if one.field == "activation")
    assert (found.first, found.second) == (pair.first.value, pair.second.value)
    assert "ReLU or Tanh?" in found.question
    feed = {name: np.asarray([value], np.float32) for name, value in found.input.items()}
    assert {name: list(value.shape[1:]) for name, value in feed.items()} == found.shapes
    for graph, shown in zip((pair.first.graph, pair.second.graph), found.outputs, strict=True):
        again = evaluation.by_torch(graph, checkpoint.tensors, feed)[found.output]
        np.testing.assert_allclose(again[0], np.asarray(shown), rtol=1e-4, atol=1e-5)
    one, other = (np.asarray(shown, np.float64) for shown in found.outputs)
    assert np.abs(one - other).max() == pytest.approx(found.largest)


def test_onnx_alone_finds_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_torch = search(path)["activation"]
    monkeypatch.setattr(searching, "default_evaluator", lambda: "onnx.reference")
    by_onnx = search(path)["activation"]
    assert by_onnx.evaluator == "onnx.reference"
    assert (by_onnx.output, by_onnx.first, by_onnx.second) == (
        by_torch.output,
        by_torch.first,
        by_torch.second,
    )
    assert by_onnx.largest == pytest.approx(by_torch.largest, rel=1e-3)


def test_without_torch_and_onnx_the_extra_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptkit.model.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        search(path)
    assert "ckptkit[onnx]" in str(caught.value.fix)


@pytest.mark.parametrize("path", ["rows"], indirect=True)
def test_rows_are_actions_or_atoms(path: Path) -> None:
    found = search(path)["n_atoms"]
    assert (found.first, found.second) == ("6 actions", "3 actions with 2 atoms")
    assert found.largest == float("inf")
    assert found.output == "q_values"


@pytest.mark.parametrize("path", ["dueling"], indirect=True)
def test_pixels_that_no_window_sees_are_never_called_equal(path: Path) -> None:
    found = search(path)["input_shape"]
    assert found.output == ""
    assert found.largest is None
    assert found.inputs > 0


@pytest.mark.parametrize("path", ["tower"], indirect=True)
def test_boards_of_the_same_squares_differ(path: Path) -> None:
    pairs = [pair for pair in ambiguities(read(path), Hints()) if pair.field in ("board", "input_shape")]
    assert all(pair.first.graph.inputs != pair.second.graph.inputs for pair in pairs)
    found = search(path)["board"]
    assert found.first == "4,9,9"
    assert found.largest is not None


@pytest.mark.parametrize("path", ["dueling"], indirect=True)
def test_the_work_is_bounded(path: Path) -> None:
    fields = [pair.field for pair in ambiguities(read(path), Hints())]
    assert 0 < fields.count("conv_strides") <= MAX_STRIDES


@pytest.mark.parametrize("path", ["dueling"], indirect=True)
def test_where_nothing_is_open_there_is_none(path: Path) -> None:
    assert search(path, assume=("asteroids",), input_shape=SHAPE) == {}


def test_what_no_words_settle_has_none(tmp_path: Path) -> None:
    path = tmp_path / "odd.pth"
    torch.save({"a.weight": torch.zeros(2, 3, 4), "odd": torch.zeros(5, 7)}, path)
    assert search(path) == {}
