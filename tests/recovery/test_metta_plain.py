"""The plain policies of MettaAgent's tutorials: with and without memory, under any prefix."""

from pathlib import Path

import pytest
import torch
from torch import nn

from ckptkit import recovery
from ckptkit.model.recovered import Hints, Status
from tests.recovery.metta_models import Plain, saved
from tests.recovery.seed_models import save
from tests.recovery.test_metta import ASSUMED, NAMES, open_words, same_outputs

POLICIES: dict[str, dict[str, object]] = {
    "recurrent": {},
    "two layers": {"layers": 2, "hidden": 5, "size": 21},
    "recurrent without a line": {"line": "", "actions": 7},
    "no memory": {"line": "", "layers": 0},
    "no memory, with a line": {"layers": 0},
    "no value": {"values": False},
}


@pytest.mark.parametrize("name", list(POLICIES))
def test_a_policy_is_rebuilt_from_weights_and_the_profile(tmp_path: Path, name: str) -> None:
    made = Plain(**POLICIES[name])  # type: ignore[arg-type]
    checkpoint = save(made.state_dict(), tmp_path / "policy.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    rnn = getattr(made, f"{made.line}rnn", None)
    head = getattr(made, f"{made.line}action_head")
    values = {key: field.value for key, field in found.config.items()}
    assert (values["obs_size"], values["hidden_size"]) == (made.shape[0], head.in_features)
    assert values["n_actions"] == head.out_features
    assert values.get("rnn.num_layers") == (rnn.num_layers if rnn is not None else None)
    assert all(
        found.config[name].status is Status.PROVEN for name in ("obs_size", "hidden_size", "n_actions")
    )
    assert (found.family, found.unexplained, found.questions) == ("metta", (), ())
    same_outputs(made, found, checkpoint, rnn.num_layers if rnn is not None else 1, head.in_features)


@pytest.mark.parametrize("prefix", ["policy.", "module.", "policy._orig_mod.", "network.", "_policy.module."])
def test_a_policy_is_found_under_any_prefix(tmp_path: Path, prefix: str) -> None:
    made = Plain()
    weights = {f"{prefix}{name}": value for name, value in made.state_dict().items()}
    checkpoint = save(weights, tmp_path / "policy.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    assert found.config["name_prefix"].value == prefix
    same_outputs(made, found, checkpoint, 1, 6)


def test_weights_alone_prove_sizes_and_ask_for_the_rest(tmp_path: Path) -> None:
    found = recovery.recover(save(Plain().state_dict(), tmp_path / "policy.pt"), Hints())
    assert found.graph is None
    assert "--assume metta" in found.questions[0]
    for name in ("nonlinearity", "obs_scale", "action_names"):
        assert (found.config[name].value, found.config[name].status) == (None, Status.UNKNOWN)


def test_a_dictionary_of_the_system_names_it_and_its_actions(tmp_path: Path) -> None:
    made = Plain(actions=3)
    checkpoint = save(saved(made, metadata={"action_names": NAMES}), tmp_path / "policy.pt")
    found = recovery.recover(checkpoint, Hints())
    assert found.config["action_names"].value == NAMES
    same_outputs(made, found, checkpoint, 1, 6)


def test_a_pickled_module_proves_its_activation_or_is_asked_about(tmp_path: Path) -> None:
    made = Plain(activation=nn.Tanh)
    checkpoint = save(made, tmp_path / "policy.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    assert (found.config["nonlinearity"].value, found.config["nonlinearity"].status) == (
        "Tanh",
        Status.PROVEN,
    )
    same_outputs(made, found, checkpoint, 1, 6)
    made._net.append(nn.ReLU())
    found = recovery.recover(save(made, tmp_path / "longer.pt"), ASSUMED)
    assert found.graph is None
    assert "what does _net compute?" in open_words(found)


def test_the_observation_may_have_a_shape(tmp_path: Path) -> None:
    made = Plain()
    checkpoint = save(made.state_dict(), tmp_path / "policy.pt")
    found = recovery.recover(checkpoint, Hints((4, 3), ("metta",)))
    same_outputs(made, found, checkpoint, 1, 6)
    found = recovery.recover(checkpoint, Hints((5, 3), ("metta",)))
    assert found.questions == ("what does it take? --input-shape says 5,3, and its weights 12 numbers",)


def test_a_second_head_is_named_and_stops_the_graph(tmp_path: Path) -> None:
    weights = {**Plain().state_dict(), "decoder.weight": torch.zeros(4, 6), "decoder.bias": torch.zeros(4)}
    found = recovery.recover(save(weights, tmp_path / "policy.pt"), ASSUMED)
    assert (found.family, found.graph) == ("metta", None)
    assert found.unexplained == ("decoder.weight", "decoder.bias")
