"""What honest programs write is never called unsafe."""

import io
import pickle
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ckptkit import api
from ckptkit.cli.app import status
from ckptkit.model.finding import Verdict
from ckptkit.storage.pickles import load
from tests.corpus import CHECKOUT

HARMLESS = {Verdict.DATA_ONLY, Verdict.CONTAINS_CODE}
RELEASES = sorted((CHECKOUT / "fixtures" / "releases").glob("*/*.zip"))
CODE = sorted((CHECKOUT / "fixtures" / "code").glob("*.pkl"))
OPTIMIZERS = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ASGD",
    "LBFGS",
    "Muon",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
    "SparseAdam",
]
DTYPES = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "bool",
    "uint16",
    "uint32",
    "uint64",
    "complex32",
    "complex64",
    "complex128",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
]


def saved(folder: Path, value: object, legacy: bool) -> Path:
    path = folder / "state.pt"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def stepped(name: str) -> dict[str, object]:
    """Return weights and an optimizer's state after two steps."""
    layer = nn.Linear(3, 2, bias=False)
    optimizer = getattr(torch.optim, name)(layer.parameters(), lr=0.01)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = layer(torch.ones(1, 3)).square().sum()
        value.backward()
        if name == "SparseAdam":
            layer.weight.grad = layer.weight.grad.to_sparse()
        return value

    for _ in range(2):
        loss()
        optimizer.step(loss if name == "LBFGS" else None)
    return {"model_state_dict": layer.state_dict(), "optimizer_state_dict": optimizer.state_dict()}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, legacy: bool, tmp_path: Path) -> None:
    found = api.read(saved(tmp_path, stepped(name), legacy))
    assert found.verdict is Verdict.DATA_ONLY
    assert status(["validate", str(tmp_path / "state.pt"), "--level", "0"]) == 0


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", DTYPES)
def test_element_types(name: str, legacy: bool, tmp_path: Path) -> None:
    value = {"layer.weight": torch.zeros(2, 3, dtype=getattr(torch, name))}
    path = saved(tmp_path, value, legacy)
    report = api.validate(path, level=0)
    assert {result.verdict for result in report.results} <= {Verdict.DATA_ONLY, Verdict.UNSUPPORTED}


RANDOM: dict[str, Callable[[], object]] = {
    "torch": torch.get_rng_state,
    "numpy legacy": lambda: np.random.RandomState(0).get_state(),
    "numpy generator": lambda: np.random.default_rng(0).bit_generator.state,
    "numpy generator object": lambda: np.random.default_rng(0),
    "numpy RandomState object": lambda: np.random.RandomState(0),
    "python": lambda: random.Random(0).getstate(),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", RANDOM)
def test_states_of_random_generators(kind: str, legacy: bool, tmp_path: Path) -> None:
    value = {"model_state_dict": nn.Linear(2, 2).state_dict(), "rng_state": RANDOM[kind]()}
    assert api.read(saved(tmp_path, value, legacy)).verdict is Verdict.DATA_ONLY


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_of_every_protocol(protocol: int) -> None:
    value = {"a": [1, 2.5, "x", b"y", None, True, (1, {2})], "array": np.arange(4.0), "big": 1 << 100}
    found = load(pickle.dumps(value, protocol), where="plain.pkl")
    assert found.verdict is Verdict.DATA_ONLY


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_agents_of_older_releases(path: Path) -> None:
    found = api.read(path)
    assert found.verdict is Verdict.CONTAINS_CODE  # a schedule that the user wrote, as a function by value
    assert found.carries_code
    assert status(["validate", str(path), "--level", "0"]) == 0


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.stem)
def test_code_by_value_of_every_python(path: Path) -> None:
    assert load(path.read_bytes(), where=path.name).verdict in HARMLESS


def test_there_are_enough() -> None:
    algorithms = Counter(path.stem for path in RELEASES)
    assert len(RELEASES) >= 73
    assert sum(count >= 4 for count in algorithms.values()) >= 10
    assert len({path.parent.name for path in RELEASES}) >= 7
    assert all(path.stat().st_size < 30_000 for path in RELEASES)
    assert {path.stem.rsplit("py3.")[1] for path in CODE} >= {"8", "9", "10", "11", "12", "13"}
    assert len(OPTIMIZERS) >= 11


def test_a_state_dict_of_many_tensors_is_read() -> None:
    """Bounds on memory let a file through that is large because it holds much."""
    from ckptkit.storage.source import MemorySource
    from ckptkit.storage.torch_file import open_torch

    buffer = io.BytesIO()
    torch.save({f"layers.{i}.weight": torch.zeros(1) for i in range(20_000)}, buffer)
    assert len(open_torch(MemorySource(buffer.getvalue(), "many.pt")).root) == 20_000  # type: ignore[arg-type]
