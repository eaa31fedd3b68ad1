"""MettaAgent saves of both versions and all variants."""

from pathlib import Path

import pytest
import torch
from torch import nn

import ckptkit
from ckptkit.errors import UnknownVersionError
from ckptkit.model.checkpoint import Checkpoint
from tests.readers.torch_truth import assert_same


def _model() -> nn.Module:
    components = nn.ModuleDict({"fc1": nn.Sequential(nn.Linear(3, 4)), "_core_": nn.LSTM(4, 4)})
    return nn.ModuleDict({"components": components})


def _standard(**changes: object) -> dict[str, object]:
    saved = {
        "model_state_dict": _model().state_dict(),
        "model_type": "brain",
        "name": "model_0120.pt",
        "uri": "file:///runs/x/model_0120.pt",
        "metadata": {"epoch": 120, "score": 0.9, "action_names": ["a0", "a1"]},
        "observation_space_version": None,
        "action_space_version": None,
        "layer_version": None,
        "checkpoint_format_version": 2,
    }
    return saved | changes


def _read(tmp_path: Path, value: object) -> Checkpoint:
    path = tmp_path / "model_0120.pt"
    torch.save(value, path)
    return ckptkit.read(path)


def test_version_2_standard(tmp_path: Path) -> None:
    attributes = {"hidden_size": 128, "core_num_layers": 2}
    saved = _standard(agent_attributes=attributes, component_config={"fc1": {"size": 4}})
    checkpoint = _read(tmp_path, saved)
    assert (checkpoint.format, checkpoint.format_version) == ("metta-checkpoint", "2")
    assert_same(checkpoint.tensors, saved["model_state_dict"])  # type: ignore[arg-type]
    assert checkpoint.model_config == {
        "model_type": "brain",
        "observation_space_version": None,
        "action_space_version": None,
        "layer_version": None,
        "agent_attributes": attributes,
        "component_config": {"fc1": {"size": 4}},
    }
    assert checkpoint.training_info == {
        "name": "model_0120.pt",
        "uri": "file:///runs/x/model_0120.pt",
        "metadata": {"epoch": 120, "score": 0.9, "action_names": ["a0", "a1"]},
    }
    assert checkpoint.training_state is None
    assert checkpoint.dropped == ()


def test_version_1_states_no_version(tmp_path: Path) -> None:
    saved = _standard()
    del saved["checkpoint_format_version"]
    checkpoint = _read(tmp_path, saved)
    assert (checkpoint.format, checkpoint.format_version) == ("metta-checkpoint", "1")
    assert len(checkpoint.tensors) == 6


def test_version_2_training_save_holds_a_module(tmp_path: Path) -> None:
    model = _model()
    saved = _standard(model=model)
    del saved["model_state_dict"]
    checkpoint = _read(tmp_path, saved)
    assert checkpoint.format == "metta-checkpoint"
    assert checkpoint.carries_code
    assert_same(checkpoint.tensors, model.state_dict())


def test_full_model_variant(tmp_path: Path) -> None:
    saved = _standard(model_type="full_model", model=_model())
    dropped = ("model_state_dict", "observation_space_version", "action_space_version", "layer_version")
    checkpoint = _read(tmp_path, {key: value for key, value in saved.items() if key not in dropped})
    assert (checkpoint.format, checkpoint.format_version) == ("metta-checkpoint", "2")
    assert len(checkpoint.tensors) == 6


@pytest.mark.parametrize("version", [3, 0, "2", 2.0, True, None, [2]])
def test_unknown_version_is_refused_by_name(tmp_path: Path, version: object) -> None:
    with pytest.raises(UnknownVersionError, match="checkpoint_format_version is ") as caught:
        _read(tmp_path, _standard(checkpoint_format_version=version))
    assert caught.value.exit_code == 1
    if isinstance(version, int | float | str):
        assert repr(version) in str(caught.value)


def test_trainer_state_is_no_model(tmp_path: Path) -> None:
    saved = {
        "optimizer_state_dict": {"state": {}, "param_groups": []},
        "agent_step": 1,
        "policy_path": "m.pt",
    }
    checkpoint = _read(tmp_path, saved)
    assert checkpoint.format == "torch-checkpoint"
    assert checkpoint.tensors == {}
