"""MettaAgent's brain: rebuilt from any of its files, and asked about where no file says it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ckptkit import recovery
from ckptkit.graph import torch_module
from ckptkit.graph.torch_tensors import state_dict
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered, Status
from tests.recovery.comparing import compare, run_onnx, run_torch, session
from tests.recovery.metta_models import Brain, saved
from tests.recovery.seed_models import save

ASSUMED = Hints(None, ("metta",))
BRAINS: dict[str, dict[str, object]] = {
    "default": {},
    "one layer": {"layers": 1, "hidden": 5, "channels": 2},
    "three layers": {"layers": 3, "active": (8, 0, 3, 1)},
    "wider embeddings": {"rows": 20, "width": 9, "active": tuple(range(1, 12))},
    "not normalised": {"normalized": False},
    "another attribute": {"attribute": "lstm"},
    "no activation": {"activation": None},
    "weight of two axes": {"head": "flat"},
    "larger head": {"head": "big"},
    "no head": {"head": ""},
}


def same_outputs(
    made: nn.Module, found: Recovered, checkpoint: Checkpoint, layers: int, hidden: int, largest: int = 255
) -> None:
    """Compare one step from random states with the recovered network, in ONNX Runtime and in torch."""
    made.eval()
    generator = np.random.default_rng(1)
    assert found.graph is not None, found.questions
    shape = found.graph.inputs["obs"].shape[1:]
    feed = {"obs": generator.integers(0, largest + 1, (5, *(size or 1 for size in shape))).astype(np.float32)}
    feed |= {f"state.{i}": generator.normal(size=(layers, 5, hidden)).astype(np.float32) for i in range(2)}
    feed["episode_start"] = np.array([False, True, False, False, True])
    tensors = {name: torch.from_numpy(value) for name, value in feed.items()}
    with torch.no_grad():
        outputs = made(tensors["obs"], (tensors["state.0"], tensors["state.1"]), tensors["episode_start"])
    wanted = {name: value.numpy() for name, value in outputs.items()}
    module = torch_module.empty(found.graph, order=checkpoint.tensors)
    module.fill(state_dict(checkpoint.tensors, "cpu", digests=False))
    assert list(module.state_dict()) == list(checkpoint.tensors)
    taken = {name: feed[name] for name in found.graph.inputs}
    for got in (run_onnx(session(found, checkpoint), feed), run_torch(module.eval(), taken)):
        assert got.keys() == wanted.keys()
        compare(got, wanted)


def open_words(found: Recovered) -> str:
    return " ".join(found.questions)


@pytest.mark.parametrize("name", list(BRAINS))
def test_a_brain_is_rebuilt_from_a_dictionary_that_names_the_system(tmp_path: Path, name: str) -> None:
    made = Brain(**BRAINS[name])  # type: ignore[arg-type]
    checkpoint = save(saved(made), tmp_path / "model.pt")
    found = recovery.recover(checkpoint, Hints())
    core = made.components["_core_"]
    lstm = getattr(core, core.attribute)
    values = {key: field.value for key, field in found.config.items()}
    assert values["channels"] == made.shape[0]
    assert (values["hidden_size"], values["core_num_layers"]) == (lstm.hidden_size, lstm.num_layers)
    assert values["obs_shape"] == list(made.shape)
    assert values["obs_normalizer"] == ("obs_normalizer" in made.components)
    assert (found.family, found.unexplained, found.questions) == ("metta", (), ())
    assert found.config["name_prefix"].value == "components."
    same_outputs(made, found, checkpoint, lstm.num_layers, lstm.hidden_size)


PREFIXES = ["", "policy.", "module.", "_orig_mod.", "module.policy.", "policy._orig_mod.", "agent.module."]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_brain_is_found_under_any_prefix(tmp_path: Path, prefix: str) -> None:
    made = Brain()
    weights = {f"{prefix}{name}": value for name, value in made.state_dict().items()}
    checkpoint = save(weights, tmp_path / "model.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    assert found.config["name_prefix"].value == f"{prefix}components."
    assert f"{prefix}components.fc1._net.0" in {layer.name for layer in found.graph.layers}  # type: ignore[union-attr]
    same_outputs(made, found, checkpoint, 2, 6)


def test_a_brain_needs_no_prefix_at_all(tmp_path: Path) -> None:
    made = Brain()
    weights = {name.removeprefix("components."): value for name, value in made.state_dict().items()}
    checkpoint = save(weights, tmp_path / "model.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    assert "name_prefix" not in found.config
    same_outputs(made, found, checkpoint, 2, 6)


def test_two_brains_in_one_file_are_of_no_family(tmp_path: Path) -> None:
    weights = Brain().state_dict()
    both = {f"{place}.{name}": value for place in ("a", "b") for name, value in weights.items()}
    checkpoint = save(both, tmp_path / "model.pt")
    assert recovery.recover(checkpoint, ASSUMED).family != "metta"
    assert "2 places" in recovery.rejections(checkpoint)["metta"].relation


def test_weights_alone_prove_sizes_and_ask_for_the_rest(tmp_path: Path) -> None:
    found = recovery.recover(save(Brain().state_dict(), tmp_path / "model.pt"), Hints())
    assert found.graph is None
    assert "--assume metta" in found.questions[0]
    assert found.config["cnn1.kernel_size"].status is Status.PROVEN
    for name in ("cnn1.stride", "fc1.nonlinearity", "obs_shape", "sources", "action_names"):
        assert (found.config[name].value, found.config[name].status) == (None, Status.UNKNOWN)
    assert found.config["_value_.nonlinearity"].status is Status.PROVEN


@pytest.mark.parametrize("active", [(), None])
def test_without_active_indices_the_actions_are_asked_for(tmp_path: Path, active: tuple[()] | None) -> None:
    made = Brain(active=active)
    checkpoint = save(saved(made), tmp_path / "model.pt")
    found = recovery.recover(checkpoint, Hints())
    assert found.graph is None
    assert "which of the 9 embeddings are actions?" in open_words(found)
    assert found.config["n_actions"].status is Status.UNKNOWN
    found = recovery.recover(checkpoint, ASSUMED)
    assert (found.config["active_indices"].value, found.config["active_indices"].status) == (
        "all",
        Status.ASSUMED,
    )
    assert found.graph is not None
    assert "action" not in found.graph.outputs
    same_outputs(made, found, checkpoint, 2, 6)


NAMES = ["noop", "move", "attack"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"metadata": {"action_names": NAMES}}, Status.PROVEN),
        ({"agent_attributes": {"action_names": tuple(NAMES)}}, Status.PROVEN),
        ({"metadata": {"action_names": NAMES[:2]}}, Status.UNKNOWN),
        ({"metadata": {"action_names": NAMES}, "agent_attributes": {"action_names": ["a", "b", "c"]}}, None),
        ({"metadata": {"action_names": "noop"}}, Status.UNKNOWN),
        ({"metadata": {"action_names": [1, 2, 3]}}, Status.UNKNOWN),
        ({}, Status.UNKNOWN),
    ],
)
def test_names_of_actions_are_taken_where_a_file_has_as_many(
    tmp_path: Path, more: Mapping[str, object], status: Status | None
) -> None:
    found = recovery.recover(save(saved(Brain(), **more), tmp_path / "model.pt"), Hints())
    field = found.config["action_names"]
    assert field.status is (status or Status.UNKNOWN)
    assert field.value == (NAMES if status is Status.PROVEN else None)
    assert found.config["n_actions"].value == 3
    if status is None:
        assert len(field.alternatives) == 2


def test_a_missing_divisor_is_proven_by_a_pickled_module_alone(tmp_path: Path) -> None:
    made = Brain(normalized=False)
    stated = {"bare": made.state_dict(), "dictionary": saved(made), "pickled": made}
    fields = {
        name: recovery.recover(save(content, tmp_path / f"{name}.pt"), Hints()).config["obs_normalizer"]
        for name, content in stated.items()
    }
    assert [field.value for field in fields.values()] == [False, False, False]
    assert [field.status for field in fields.values()] == [Status.CONSTRAINED, Status.ASSUMED, Status.PROVEN]
    assert fields["bare"].alternatives == fields["dictionary"].alternatives == (True,)


def test_names_beside_a_brain_without_a_head_count_its_actions(tmp_path: Path) -> None:
    made = saved(Brain(head=""), metadata={"action_names": NAMES})
    found = recovery.recover(save(made, tmp_path / "model.pt"), Hints())
    assert (found.config["n_actions"].value, found.config["n_actions"].status) == (3, Status.CONSTRAINED)
    assert found.config["_action_"].value is None
    assert found.graph is not None
    assert list(found.graph.outputs) == ["actor_1", "value", "next_state.0", "next_state.1"]


def test_a_pickled_module_proves_what_its_tensors_cannot(tmp_path: Path) -> None:
    made = Brain(kernels=(4, 3), strides=(2, 2), side=8, activation=nn.Sigmoid)
    checkpoint = save(made, tmp_path / "model.pt")
    found = recovery.recover(checkpoint, Hints((3, 8, 8), ("metta",)))
    values = {name: found.config[name] for name in ("cnn1.stride", "cnn2.stride", "fc1.nonlinearity")}
    assert [field.value for field in values.values()] == [2, 2, "nn.Sigmoid"]
    assert all(field.status is Status.PROVEN for field in values.values())
    same_outputs(made, found, checkpoint, 2, 6)


def test_modules_that_the_family_cannot_say_are_asked_about(tmp_path: Path) -> None:
    made = Brain(activation=nn.LeakyReLU)
    made.components["cnn2"]._net[0].padding_mode = "circular"
    made.components["dropout"] = nn.Dropout()
    found = recovery.recover(save(made, tmp_path / "model.pt"), ASSUMED)
    assert found.graph is None
    for words in ("what does components.fc1._net compute", "components.cnn2._net.0", "components.dropout"):
        assert words in open_words(found)


def test_kernels_whose_strides_nobody_says_are_asked_about(tmp_path: Path) -> None:
    made = Brain(kernels=(4, 3), strides=(2, 2), side=8)
    found = recovery.recover(save(saved(made), tmp_path / "model.pt"), Hints())
    assert found.graph is None
    assert "which strides have convolutions of kernels 4, 3?" in open_words(found)


def test_a_grid_that_is_not_the_usual_one_is_asked_for(tmp_path: Path) -> None:
    made = Brain(side=14)
    checkpoint = save(saved(made), tmp_path / "model.pt")
    found = recovery.recover(checkpoint, Hints())
    field = found.config["obs_shape"]
    assert (field.status, found.graph) == (Status.CONSTRAINED, None)
    assert field.alternatives == ([3, 14, 14], [3, 11, 20], [3, 20, 11])
    assert "--input-shape 3,14,14" in open_words(found)
    same_outputs(made, recovery.recover(checkpoint, Hints((3, 14, 14))), checkpoint, 2, 6)


@pytest.mark.parametrize("shape", [(3, 14, 14), (2, 11, 11), (11, 11), (3, 0, 0), (3, -1, 11)])
def test_a_grid_that_does_not_fit_is_a_question(tmp_path: Path, shape: tuple[int, ...]) -> None:
    found = recovery.recover(save(saved(Brain()), tmp_path / "model.pt"), Hints(shape))
    assert found.graph is None
    assert "which grid does it take? --input-shape says" in open_words(found)


def test_words_that_contradict_the_tensors_are_a_question(tmp_path: Path) -> None:
    made = saved(Brain(), agent_attributes={"hidden_size": 128, "core_num_layers": 2})
    found = recovery.recover(save(made, tmp_path / "model.pt"), Hints())
    assert found.questions == (
        "which holds? hidden_size is 128, and components._core_._net.weight_hh_l0 says 6",
    )


def test_a_tensor_without_a_place_is_named_and_stops_the_graph(tmp_path: Path) -> None:
    weights = {**Brain().state_dict(), "other.weight": torch.zeros(3)}
    found = recovery.recover(save(weights, tmp_path / "model.pt"), ASSUMED)
    assert (found.family, found.unexplained, found.graph) == ("metta", ("other.weight",), None)


def test_settings_of_other_places_prove_nothing(tmp_path: Path) -> None:
    """A module that was compiled in part has settings under another path than its tensors' names."""
    made = Brain(kernels=(4, 3), strides=(2, 2), side=8)
    checkpoint = save(made, tmp_path / "model.pt")
    settings = checkpoint.model_config["modules"]
    assert isinstance(settings, dict)
    moved = {name.replace("cnn1", "cnn1._orig_mod"): value for name, value in settings.items()}
    found = recovery.recover(replace(checkpoint, model_config={"modules": moved}), ASSUMED)
    assert found.graph is None
    assert found.config["cnn1.stride"].status is Status.UNKNOWN
    assert found.config["cnn2.stride"].status is Status.PROVEN


class Squared(nn.Module):
    """A component that computes something else from the very same tensors."""

    def __init__(self, other: nn.Module) -> None:
        super().__init__()
        self.W, self.bias = other.W, other.bias


def test_a_component_of_another_class_is_asked_about(tmp_path: Path) -> None:
    made = Brain()
    assert recovery.recover(save(made, tmp_path / "own.pt"), ASSUMED).graph is not None
    made.components["_action_"] = Squared(made.components["_action_"])
    found = recovery.recover(save(made, tmp_path / "other.pt"), ASSUMED)
    assert found.graph is None
    assert "what does components._action_ (tests.recovery.test_metta.Squared) do?" in open_words(found)


JUNK: list[object] = [None, 3, "x", [1], {"a": 1}, {1: {"class": 2, "attrs": 3}}]
SETTINGS: list[object] = [{"stride": value, "padding": value, "groups": value} for value in JUNK]


@pytest.mark.parametrize("junk", [*JUNK, *SETTINGS])
def test_junk_beside_the_weights_is_answered_without_an_exception(tmp_path: Path, junk: object) -> None:
    checkpoint = save(Brain().state_dict(), tmp_path / "model.pt")
    places = ["", "components", "components._obs_", "components.cnn1._net", "components.cnn1._net.0"]
    modules = {place: {"class": junk, "attrs": junk} for place in places}
    words = [{"modules": junk}, {"modules": dict.fromkeys(places, junk)}, {"modules": modules}]
    words += [{"model_type": junk}, {"agent_attributes": junk}, {"agent_attributes": {"hidden_size": junk}}]
    words += [{"action_names": junk}, {"metadata": {"action_names": junk}}, {"class_path": junk}]
    grid = {"components._obs_": {"attrs": {"out_width": junk, "out_height": junk, "num_layers": junk}}}
    for config in (*words, {"modules": grid}):
        found = recovery.recover(replace(checkpoint, model_config=config, training_info=config), ASSUMED)
        assert found.family == "metta"
