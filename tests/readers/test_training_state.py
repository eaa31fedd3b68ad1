"""What training needs is carried into a bundle and back: equal to torch's own reading of the source.

Each checkpoint goes to a deploy bundle (`training.safetensors` and the manifest), from there to a
versioned torch dict, which torch opens by itself.
"""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ckptkit
from ckptkit.model.inert import NdArray
from tests.conftest import Call
from tests.corpus import CHECKOUT

FOLDER = CHECKOUT / "fixtures" / "seed_systems"
TUPLES = FOLDER / "keisei" / "checkpoints" / "run_b" / "epoch_00001.pt"
EPOCH = FOLDER / "keisei" / "checkpoints" / "run_b" / "epoch_00002.pt"
ERAS = sorted((FOLDER / "keisei" / "models" / "run_a").glob("*.pth"))


def carried(path: Path, tmp_path: Path, ckptkit: Call) -> dict[str, Any]:
    """Return the training state of `path` after two conversions, as torch loads it."""
    for source, to, target in ((path, "deploy", "bundle"), (tmp_path / "bundle", "v2", "again.pt")):
        run = ckptkit("convert", source, "--to", to, "-o", tmp_path / target)
        assert run.status == 0, run.err
    assert (tmp_path / "bundle" / "training.safetensors").is_file()
    loaded: dict[str, Any] = torch.load(tmp_path / "again.pt", weights_only=True)
    return loaded


def assert_equal(found: object, wanted: object) -> None:
    if isinstance(wanted, torch.Tensor):
        assert isinstance(found, torch.Tensor)
        assert found.dtype == wanted.dtype
        assert torch.equal(found, wanted)
    elif isinstance(wanted, dict):
        assert isinstance(found, dict)
        assert list(found) == list(wanted)
        for key, value in wanted.items():
            assert_equal(found[key], value)
    elif isinstance(wanted, list | tuple):
        assert type(found) is type(wanted)
        assert isinstance(found, list | tuple)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_equal(one, other)
    else:
        assert (type(found), found) == (type(wanted), wanted)


@pytest.mark.parametrize("path", ERAS, ids=lambda path: path.stem)
def test_optimizer_and_scheduler_of_each_era(path: Path, tmp_path: Path, ckptkit: Call) -> None:
    source, found = torch.load(path, weights_only=True), carried(path, tmp_path, ckptkit)
    assert_equal(found["training_state"]["optimizer_state_dict"], source["optimizer_state_dict"])
    if "scheduler_state_dict" in source:
        assert_equal(found["training_state"]["scheduler_state_dict"], source["scheduler_state_dict"])
    for key in ("global_timestep", "total_episodes_completed", "black_wins", "elo_state", "metrics_history"):
        if key in source:
            assert_equal(found["training_info"][key], source[key])


def test_there_are_all_eras() -> None:
    assert len(ERAS) == 6


def test_adam_goes_on_from_what_was_carried(tmp_path: Path, ckptkit: Call) -> None:
    source, found = torch.load(EPOCH, weights_only=False), carried(EPOCH, tmp_path, ckptkit)
    after = []
    states = (source["optimizer_state_dict"], found["training_state"]["optimizer_state_dict"])
    for state in states:
        parameters = [
            torch.nn.Parameter(torch.ones_like(moment["exp_avg"])) for moment in state["state"].values()
        ]
        optimizer = torch.optim.Adam(parameters)
        optimizer.load_state_dict(state)
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, 0.5)
        optimizer.step()
        after.append([parameter.detach() for parameter in parameters])
    assert all(torch.equal(one, other) for one, other in zip(*after, strict=True))


def test_scheduler_and_scaler(tmp_path: Path, ckptkit: Call) -> None:
    source, found = torch.load(EPOCH, weights_only=False), carried(EPOCH, tmp_path, ckptkit)
    for key in ("scheduler_state_dict", "grad_scaler_state_dict"):
        assert_equal(found["training_state"][key], source[key])
    for key in ("epoch", "step", "world_size"):
        assert_equal(found["training_info"][key], source[key])


def test_generators_go_on_from_what_was_carried(tmp_path: Path, ckptkit: Call) -> None:
    source, found = torch.load(TUPLES, weights_only=False)["rng_states"], carried(TUPLES, tmp_path, ckptkit)
    state = found["training_state"]["rng_states"]
    draws: list[list[object]] = []
    kept = ckptkit_state(tmp_path / "again.pt")
    for python, numpy, cpu in (
        (source["python"], source["numpy"], source["torch_cpu"]),
        (state["python"], kept, state["torch_cpu"]),
    ):
        generator, legacy = random.Random(), np.random.RandomState()
        generator.setstate(python)
        legacy.set_state(numpy)
        torch_generator = torch.Generator()
        torch_generator.set_state(cpu)
        drawn = torch.rand(3, generator=torch_generator).tolist()
        draws.append([generator.random(), legacy.random_sample(5).tolist(), drawn])
    assert draws[0] == draws[1]


def test_generators_as_later_files_have_them(tmp_path: Path, ckptkit: Call) -> None:
    source, found = torch.load(EPOCH, weights_only=True), carried(EPOCH, tmp_path, ckptkit)
    assert_equal(found["training_state"]["rng_states"], source["rng_states"])
    assert_equal(found["training_info"]["training_state"], source["training_state"])


def ckptkit_state(path: Path) -> tuple[object, ...]:
    """Return numpy's state, whose array `weights_only` cannot hold, as ckptkit reads it back."""
    training = ckptkit.read(path).training_state
    assert isinstance(training, dict)
    name, keys, *rest = training["rng_states"]["numpy"]
    assert isinstance(keys, NdArray)
    return name, np.frombuffer(keys.data, keys.dtype).reshape(keys.shape), *rest


def test_an_optimizer_of_a_package_that_is_not_here(tmp_path: Path, ckptkit: Call) -> None:
    path = FOLDER / "metta/train_dir/run_a/checkpoints/trainer_state.pt"
    found = carried(path, tmp_path, ckptkit)["training_state"]["optimizer_state_dict"]
    state = found["state"][0]
    assert torch.equal(state["momentum_buffer"], torch.ones(3, 2))
    assert state["step"] == 4
    assert found["param_groups"][0]["optimizer"] == {"$class": "heavyball:ForeachMuon"}
