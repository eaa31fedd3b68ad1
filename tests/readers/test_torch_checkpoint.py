"""Checkpoint dicts: the model by content, optimizer state complete, plain entries where they belong."""

import argparse
import random
from collections import OrderedDict
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from torch import nn, optim

import ckptkit
from ckptkit.digest import tensor_sha256
from ckptkit.errors import LimitExceededError, UnsupportedTensorError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Verdict
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in
from tests.readers.torch_truth import assert_same, facts

OPTIMIZERS = {
    "adadelta": optim.Adadelta,
    "adagrad": optim.Adagrad,
    "adam": optim.Adam,
    "adam-amsgrad": lambda p: optim.Adam(p, amsgrad=True),
    "adamax": optim.Adamax,
    "adamw": optim.AdamW,
    "asgd": optim.ASGD,
    "lbfgs": lambda p: optim.LBFGS(p, max_iter=2),
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "rmsprop": lambda p: optim.RMSprop(p, momentum=0.9, centered=True),
    "rprop": optim.Rprop,
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd-momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
}


def _model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def _stepped(model: nn.Module, optimizer: optim.Optimizer) -> optim.Optimizer:
    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = model(torch.ones(5, 3) + torch.arange(5.0)[:, None]).square().mean()
        value.backward()
        return value

    for _ in range(2):
        optimizer.step(loss)  # type: ignore[arg-type]
    return optimizer


def _read(tmp_path: Path, value: object, *, legacy: bool = False) -> Checkpoint:
    path = tmp_path / "checkpoint.pth"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return ckptkit.read(path)


def assert_tree(found: object, wanted: object) -> None:
    """Assert that a plain tree is the tree that torch saved, tensors by their bytes."""
    match wanted:
        case torch.Tensor():
            assert isinstance(found, Tensor)
            assert (found.dtype.name, found.shape, tensor_sha256(found)) == facts(wanted)
        case dict():
            assert isinstance(found, dict)
            assert list(found) == list(wanted)
            for key, item in wanted.items():
                assert_tree(found[key], item)
        case list() | tuple():
            assert isinstance(found, type(wanted))
            assert len(found) == len(wanted)
            for ours, item in zip(found, wanted, strict=True):
                assert_tree(ours, item)
        case _:
            assert found == wanted
            assert type(found) is type(wanted)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", sorted(OPTIMIZERS))
def test_optimizer_state_is_complete(tmp_path: Path, kind: str, legacy: bool) -> None:
    model = _model()
    optimizer = _stepped(model, OPTIMIZERS[kind](model.parameters()))
    saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    checkpoint = _read(tmp_path, saved, legacy=legacy)
    assert checkpoint.format == "torch-checkpoint"
    assert_same(checkpoint.tensors, model.state_dict())
    assert checkpoint.training_info == {"epoch": 3}
    assert checkpoint.verdict is Verdict.DATA_ONLY
    assert checkpoint.dropped == ()
    state = checkpoint.training_state
    assert isinstance(state, dict)
    assert list(state) == ["optimizer"]
    assert_tree(state["optimizer"], optimizer.state_dict())


SCHEDULERS = {
    "cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 10),
    "exponential": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.9),
    "multi-step": lambda o: optim.lr_scheduler.MultiStepLR(o, [2, 4]),
    "one-cycle": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=10),
    "plateau": optim.lr_scheduler.ReduceLROnPlateau,
    "step": lambda o: optim.lr_scheduler.StepLR(o, 2),
}


@pytest.mark.parametrize("kind", sorted(SCHEDULERS))
@pytest.mark.parametrize("key", ["scheduler_state_dict", "annealing"])
def test_scheduler_is_training_state_whatever_its_key(tmp_path: Path, kind: str, key: str) -> None:
    model = _model()
    scheduler = SCHEDULERS[kind](_stepped(model, optim.Adam(model.parameters())))
    state = scheduler.state_dict()
    checkpoint = _read(tmp_path, {"model_state_dict": model.state_dict(), key: state})
    assert isinstance(checkpoint.training_state, dict)
    assert list(checkpoint.training_state) == [key]
    assert list(checkpoint.tensors) == list(model.state_dict())


def test_random_state_and_scaler(tmp_path: Path) -> None:
    model = _model()
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.ones(()))
    saved = {
        "policy_state_dict": model.state_dict(),
        "rng_states": {
            "python": random.getstate(),
            "numpy": np.random.RandomState(3).get_state(),
            "torch_cpu": torch.get_rng_state(),
        },
        "torch_rng_state": torch.get_rng_state(),
        "grad_scaler_state_dict": scaler.state_dict(),
        "lr_schedule_type": "linear",
    }
    checkpoint = _read(tmp_path, saved)
    state = checkpoint.training_state
    assert isinstance(state, dict)
    assert list(state) == ["rng_states", "torch_rng_state", "grad_scaler_state_dict"]
    assert state["rng_states"]["python"] == random.getstate()
    assert_tree(state["torch_rng_state"], saved["torch_rng_state"])
    assert state["grad_scaler_state_dict"] == scaler.state_dict()
    assert state["rng_states"]["numpy"][1].shape == (624,)
    assert checkpoint.training_info == {"lr_schedule_type": "linear"}
    assert checkpoint.dropped == ()


@pytest.mark.parametrize(
    "key",
    ["state_dict", "model_state_dict", "model", "policy_state_dict", "encoder_state_dict", "net", "module",
     "weights", "params", "anything at all"],
)  # fmt: skip
def test_model_is_found_by_content(tmp_path: Path, key: str) -> None:
    model = _model()
    checkpoint = _read(tmp_path, {"epoch": 1, key: model.state_dict()})
    assert_same(checkpoint.tensors, model.state_dict())
    assert checkpoint.training_info == {"epoch": 1}


def test_pickled_module_beside_other_entries(tmp_path: Path) -> None:
    model = _model()
    checkpoint = _read(tmp_path, {"model": model, "epoch": 1})
    assert checkpoint.format == "torch-checkpoint"
    assert_same(checkpoint.tensors, model.state_dict())
    assert "modules" in checkpoint.model_config


def test_model_below_another_level(tmp_path: Path) -> None:
    model = _model()
    saved = {
        "agent": {"policy": model.state_dict(), "steps": 4},
        "optimizers": [{"state": {}, "param_groups": []}],
    }
    checkpoint = _read(tmp_path, saved)
    assert_same(checkpoint.tensors, model.state_dict())
    assert checkpoint.training_info == {"agent": {"steps": 4}}
    assert checkpoint.training_state == {"optimizers": [{"state": {}, "param_groups": []}]}


def test_nested_state_dict_under_a_wrapper(tmp_path: Path) -> None:
    saved = {"state_dict": {"encoder": {"w": torch.ones(2)}, "bias": torch.zeros(1)}, "epoch": 2}
    assert list(_read(tmp_path, saved).tensors) == ["encoder.w", "bias"]


def test_several_models_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    first, second = nn.Linear(1, 2), nn.Linear(2, 1)
    checkpoint = _read(tmp_path, {"G": first.state_dict(), "D": second.state_dict(), "epoch": 1})
    assert list(checkpoint.tensors) == ["G.weight", "G.bias", "D.weight", "D.bias"]
    assert [note.kind for note in checkpoint.notes] == ["several-models"]


def test_statistics_are_no_network(tmp_path: Path) -> None:
    model = _model()
    saved = {
        "model": model.state_dict(),
        "obs_rms": {"mean": torch.zeros(3), "var": torch.ones(3)},
        "best": torch.ones(()),
    }
    checkpoint = _read(tmp_path, saved)
    assert_same(checkpoint.tensors, model.state_dict())
    assert list(tensors_in(checkpoint.training_state)) == [
        "training_state.obs_rms.mean",
        "training_state.obs_rms.var",
        "training_state.best",
    ]
    assert [note.kind for note in checkpoint.notes] == ["other-tensors"]


def test_training_state_alone_has_no_model(tmp_path: Path) -> None:
    model = _model()
    optimizer = _stepped(model, optim.Adam(model.parameters()))
    checkpoint = _read(tmp_path, {"optimizer_state_dict": optimizer.state_dict(), "epoch": 9})
    assert checkpoint.tensors == {}
    assert len(tensors_in(checkpoint.training_state)) == 18
    assert [note.kind for note in checkpoint.notes] == ["no-model"]


def test_configuration_has_its_place(tmp_path: Path) -> None:
    saved = {
        "model_state_dict": {"w": torch.ones(1)},
        "hyper_parameters": argparse.Namespace(width=3, out=PurePosixPath("a/b")),
        "config": {"activation": nn.ReLU, "device": torch.device("cuda", 0), "dtype": torch.float32},
        "training_config": {"epochs": 3},
        "model_config": {"input_shape": (3, 4), "n_action": np.int64(3)},
    }
    config = _read(tmp_path, saved).model_config
    assert config["hyper_parameters"] == {"width": 3, "out": "a/b"}
    nested = config["config"]
    assert isinstance(nested, dict)
    assert str(nested["activation"]).endswith(".ReLU")
    assert nested["device"] == "cuda:0"
    assert str(nested["dtype"]) == "torch.float32"
    assert config["input_shape"] == (3, 4)
    assert config["n_action"] == 3
    assert "training_config" not in config


def test_stray_entries_in_a_state_dict(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, {"fc.weight": torch.ones(2, 2), "fc.bias": torch.ones(2), "updates": 7})
    assert list(checkpoint.tensors) == ["fc.weight", "fc.bias"]
    assert checkpoint.training_info == {"updates": 7}


def test_extra_state_is_kept_apart(tmp_path: Path) -> None:
    state = OrderedDict([("a.w", torch.ones(1)), ("a._extra_state", {"k": 1})])
    checkpoint = _read(tmp_path, {"model": state, "epoch": 1})
    assert list(checkpoint.tensors) == ["a.w"]
    assert checkpoint.training_info == {"epoch": 1, "model": {"a._extra_state.k": 1}}


def test_object_of_a_foreign_class_is_dropped_by_name(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, {"model": {"w": torch.ones(1)}, "helper": _Foreign(), "epoch": 1})
    assert [(entry.path, entry.reason.rpartition(".")[2]) for entry in checkpoint.dropped] == [
        ("helper", "_Foreign")
    ]
    assert checkpoint.training_info == {"epoch": 1}
    assert checkpoint.verdict is Verdict.CONTAINS_CODE
    assert checkpoint.carries_code


class _Foreign:
    def __init__(self) -> None:
        self.value = 1


@pytest.mark.parametrize("version", [7, "release 3", "1.4.2", 2.0])
def test_version_of_another_scheme_is_information(tmp_path: Path, version: object) -> None:
    checkpoint = _read(tmp_path, {"model_state_dict": {"w": torch.ones(1)}, "version": version, "epoch": 1})
    assert checkpoint.format == "torch-checkpoint"
    assert checkpoint.training_info["version"] == version


def test_sparse_tensor_in_optimizer_state_is_refused_by_name(tmp_path: Path) -> None:
    saved = {
        "model": {"w": torch.ones(1)},
        "optimizer": {"state": {0: {"m": torch.eye(2).to_sparse()}}, "param_groups": []},
    }
    with pytest.raises(UnsupportedTensorError, match=r"optimizer\.state\.0\.m"):
        _read(tmp_path, saved)


def test_repeated_parts_are_bounded(tmp_path: Path) -> None:
    tree: object = [torch.ones(1)]
    for _ in range(24):
        tree = [tree, tree]
    with pytest.raises(LimitExceededError):
        _read(tmp_path, {"model": {"w": torch.ones(1)}, "loss": tree})


def test_list_of_tensors_is_the_model_where_nothing_else_is(tmp_path: Path) -> None:
    weights = [torch.ones(2), torch.zeros(3)]
    assert list(_read(tmp_path, {"params": weights, "epoch": 1}).tensors) == ["0", "1"]
    both = _read(tmp_path, {"params": weights, "model": {"w": torch.ones(1)}, "epoch": 1})
    assert list(both.tensors) == ["w"]
    assert list(tensors_in(both.training_state)) == ["training_state.params.0", "training_state.params.1"]


def test_optimizer_below_another_level_is_training_state(tmp_path: Path) -> None:
    optimizer = {"state": {}, "param_groups": []}
    checkpoint = _read(
        tmp_path, {"agent": {"model": {"w": torch.ones(1)}, "optimizer": optimizer}, "epoch": 1}
    )
    assert checkpoint.training_state == {"agent": {"optimizer": optimizer}}
    assert checkpoint.training_info == {"epoch": 1}


class _Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("never",)


def test_unsafe_pickle_is_seen_even_where_a_tensor_is_refused(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, {"model": {"w": torch.eye(2).to_sparse()}, "x": _Hostile()})
    assert checkpoint.verdict is Verdict.UNSAFE
    assert [note.kind for note in checkpoint.notes] == ["unread"]
    checkpoint = _read(tmp_path, {"model": {"w": torch.ones(2)}, "x": _Hostile()})
    assert checkpoint.verdict is Verdict.UNSAFE
    assert list(checkpoint.tensors) == ["w"]


SYSTEMS: dict[str, tuple[dict[str, object], list[str]]] = {
    "lightning": (
        {
            "epoch": 1,
            "state_dict": {"net.w": torch.ones(1)},
            "loops": {"fit_loop": {"state_dict": {}}},
            "callbacks": {"ModelCheckpoint": {"best_model_score": torch.ones(())}},
            "optimizer_states": [{"state": {}, "param_groups": []}],
            "hyper_parameters": {"lr": 1},
        },
        ["net.w"],
    ),
    "sac": (
        {
            "policy_state_dict": {"w": torch.ones(1)},
            "critic_state_dict": {"w": torch.ones(1)},
            "critic_optimizer_state_dict": {"state": {}, "param_groups": []},
        },
        ["policy_state_dict.w", "critic_state_dict.w"],
    ),
    "pre-training": (
        {
            "epoch": 1,
            "encoder_state_dict": {"conv.0.weight": torch.ones(1)},
            "optimizer_state_dict": {"state": {}, "param_groups": []},
            "loss": 0.5,
            "config": {"dim": 2},
            "input_shape": (4, 84, 84),
        },
        ["conv.0.weight"],
    ),
}


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_layouts_of_common_systems(tmp_path: Path, system: str) -> None:
    saved, names = SYSTEMS[system]
    assert list(_read(tmp_path, saved).tensors) == names
