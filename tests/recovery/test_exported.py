"""An activation that is assumed of an ONNX file must be among the operators that it was exported with."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import ckptkit
from ckptkit.recovery.exported import ACTIVATIONS

PROFILES = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky-relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def exported(folder: Path, activation: type[nn.Module], *, dynamo: bool) -> Path:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5), activation(), nn.Linear(5, 6), activation(), nn.Linear(6, 2))
    path = folder / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.ones(1, 4),), path, dynamo=dynamo)
    return path


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("dynamo", [False, True])
def test_the_activation_that_was_exported_is_taken(tmp_path: Path, profile: str, dynamo: bool) -> None:
    path = exported(tmp_path, PROFILES[profile], dynamo=dynamo)
    found = ckptkit.recover(path, assume=[profile])
    assert found.graph is not None
    assert found.fields["activation"]["value"] == PROFILES[profile].__name__


@pytest.mark.parametrize("wrong", sorted(PROFILES.keys() - {"relu"}))
def test_another_one_is_a_question(tmp_path: Path, wrong: str) -> None:
    path = exported(tmp_path, nn.ReLU, dynamo=False)
    for source in (path, tmp_path / "bundle"):
        found = ckptkit.recover(source, assume=[wrong])
        assert found.graph is None
        assert found.questions[0].endswith("has Relu")
        assert PROFILES[wrong].__name__ in found.questions[0]
        if source is path:
            ckptkit.convert(path, "deploy", tmp_path / "bundle", assume=[wrong])


def test_every_activation_of_a_profile_has_its_operators() -> None:
    assert {activation.__name__ for activation in PROFILES.values()} <= ACTIVATIONS.keys()
