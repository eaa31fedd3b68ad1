"""Asteroids networks: all combinations, the older one, stated words, and what stays open."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from ckptkit import recovery
from ckptkit.graph import torch_module
from ckptkit.graph.torch_tensors import state_dict
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered, Status
from tests.recovery.comparing import run_onnx, run_torch, session
from tests.recovery.seed_models import Dqn, model_config, save, versioned

SMALL = (3, 36, 37)
ASSUMED = Hints(SMALL, ("asteroids",))
COMBINATIONS = list(itertools.product((False, True), (0, 7), (False, True)))
FOUR = ((16, 16, 8), (24, 4, 2), (32, 2, 1), (16, 2, 1))


def same_outputs(made: Dqn, found: Recovered, checkpoint: Checkpoint, shape: tuple[int, ...]) -> None:
    """Compare the recovered network with the one that it was saved from, in ONNX Runtime and in torch."""
    made.eval()
    x = np.random.default_rng(1).random((5, *shape), np.float32)
    with torch.no_grad():
        wanted = {name: value.numpy() for name, value in made(torch.from_numpy(x)).items()}
    assert found.graph is not None
    module = torch_module.empty(found.graph, order=checkpoint.tensors)
    module.fill(state_dict(checkpoint.tensors, "cpu", digests=False))
    assert list(module.state_dict()) == list(made.state_dict())
    for got in (run_onnx(session(found, checkpoint), {"obs": x}), run_torch(module.eval(), {"obs": x})):
        assert got.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("dueling", "atoms", "noisy"), COMBINATIONS)
def test_every_combination_is_rebuilt_from_a_bare_state_dict(
    tmp_path: Path, dueling: bool, atoms: int, noisy: bool
) -> None:
    made = Dqn(SMALL, 4, dueling=dueling, atoms=atoms, noisy=noisy)
    checkpoint = save(made.state_dict(), tmp_path / "net.pth")
    found = recovery.recover(checkpoint, ASSUMED)
    values = {name: field.value for name, field in found.config.items()}
    assert (values["dueling_dqn"], values["noisy_networks"]) == (dueling, noisy)
    assert (values["distributional_dqn"], values["n_action"]) == (bool(atoms), 4)
    assert values["n_atoms"] == (atoms or None)
    assert (values["v_min"], values["v_max"]) == ((-10.0, 10.0) if atoms else (None, None))
    assert found.unexplained == ()
    same_outputs(made, found, checkpoint, SMALL)


def test_a_versioned_file_names_the_system_and_proves_its_fields(tmp_path: Path) -> None:
    made = Dqn(SMALL, 4, dueling=True, atoms=5, ends=(0.0, 0.1))
    checkpoint = save(versioned(made, model_config(made, SMALL)), tmp_path / "net.pth")
    found = recovery.recover(checkpoint, Hints())
    proven = {name for name, field in found.config.items() if field.status is Status.PROVEN}
    assert proven >= {"input_shape", "n_action", "n_atoms", "v_min", "v_max", "dueling_dqn"}
    assert found.config["v_min"].value == 0.0
    assert found.config["v_max"].value == float(np.float32(0.1))
    assert any("activation = ReLU (profile asteroids)" in line for line in found.assumed)
    same_outputs(made, found, checkpoint, SMALL)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_action", 5),
        ("n_atoms", 6),
        ("v_min", -1.0),
        ("dueling_dqn", True),
        ("noisy_networks", True),
        ("distributional_dqn", False),
        ("input_shape", (3, 84, 84)),
        ("input_shape", (4, 36, 36)),
        ("input_shape", (36, 36)),
    ],
)
def test_words_that_contradict_the_tensors_are_a_question(tmp_path: Path, name: str, value: object) -> None:
    made = Dqn(SMALL, 4, atoms=5, ends=(0.0, 1.0))
    checkpoint = save(versioned(made, model_config(made, SMALL, **{name: value})), tmp_path / "net.pth")
    found = recovery.recover(checkpoint, Hints())
    assert found.graph is None
    assert any(name in question for question in found.questions)


def test_a_dropped_range_comes_from_the_words_of_the_file_alone(tmp_path: Path) -> None:
    made = Dqn(SMALL, 4, atoms=5, ends=(-2.0, 3.0))
    words = versioned(made, model_config(made, SMALL))
    weights = {name: value for name, value in made.state_dict().items() if name != "support"}
    checkpoint = save({**words, "model_state_dict": weights}, tmp_path / "net.pth")
    found = recovery.recover(checkpoint, Hints())
    assert found.graph is not None, found.questions
    x = np.random.default_rng(1).random((5, *SMALL), np.float32)
    with torch.no_grad():
        wanted = made.eval()(torch.from_numpy(x))["q_values"].numpy()
    np.testing.assert_allclose(
        run_onnx(session(found, checkpoint), {"obs": x})["q_values"], wanted, 1e-5, 1e-5
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("atoms", "ends"), [(51, (-10.0, 10.0)), (21, (0.0, 0.1)), (101, (-21.0, 200.0))])
def test_a_network_that_was_cast_keeps_its_range_as_it_was_rounded(
    tmp_path: Path, dtype: torch.dtype, atoms: int, ends: tuple[float, float]
) -> None:
    made = Dqn(SMALL, 4, atoms=atoms, ends=ends).to(dtype)
    checkpoint = save(made.state_dict(), tmp_path / "net.pth")
    found = recovery.recover(checkpoint, ASSUMED)
    values = [found.config[name].value for name in ("n_action", "n_atoms", "v_min", "v_max")]
    assert values == [4, atoms, float(made.support[0]), float(made.support[-1])]
    same_outputs(made.to(torch.float32), found, checkpoint, SMALL)


def test_a_dueling_network_without_its_range_asks_for_it(tmp_path: Path) -> None:
    made = Dqn(SMALL, 4, atoms=5, dueling=True)
    weights = {name: value for name, value in made.state_dict().items() if name != "support"}
    found = recovery.recover(save(weights, tmp_path / "net.pth"), ASSUMED)
    assert found.graph is None
    assert (found.config["n_action"].value, found.config["n_atoms"].value) == (4, 5)
    assert found.config["v_min"].status is Status.UNKNOWN
    assert any("support is lost" in question for question in found.questions)


def test_rows_without_support_may_be_actions_times_atoms(tmp_path: Path) -> None:
    made = Dqn(SMALL, 4, atoms=5)
    weights = {name: value for name, value in made.state_dict().items() if name != "support"}
    found = recovery.recover(save(weights, tmp_path / "net.pth"), Hints())
    actions, atoms = found.config["n_action"], found.config["n_atoms"]
    assert (actions.value, actions.status) == (20, Status.CONSTRAINED)
    assert set(actions.alternatives) == {10, 5, 4, 2, 1}
    assert (atoms.value, set(atoms.alternatives)) == (None, {None, 2, 4, 5, 10, 20})


@pytest.mark.parametrize(
    ("stated", "actions", "distributional", "question"),
    [
        ({"n_action": 20}, 20, False, ""),
        ({"n_action": 20, "n_atoms": 51}, 20, False, ""),
        ({"n_action": 4}, 4, True, "over which range"),
        ({"n_atoms": 5}, 4, True, "over which range"),
        ({"n_action": 3}, None, None, "model_config.n_action is 3, and the 20 rows of fc.2.weight do not"),
        ({"n_atoms": 7}, None, None, "model_config.n_atoms is 7, and the 20 rows of fc.2.weight do not"),
    ],
)
def test_rows_without_support_agree_with_what_the_file_states(
    tmp_path: Path, stated: dict[str, int], actions: int | None, distributional: bool | None, question: str
) -> None:
    made = Dqn(SMALL, 20)
    words = {"model_state_dict": made.state_dict(), "model_config": {"input_shape": SMALL, **stated}}
    found = recovery.recover(save({**words, "version": "2.0"}, tmp_path / "net.pth"), ASSUMED)
    if actions is not None:
        assert found.config["n_action"].value == actions
        assert found.config["distributional_dqn"].value is distributional
    if question:
        assert found.graph is None
        assert any(question in one for one in found.questions)
    else:
        assert found.graph is not None, found.questions


def test_without_a_profile_there_is_no_graph_and_the_flags_are_named(tmp_path: Path) -> None:
    found = recovery.recover(save(Dqn(SMALL, 4).state_dict(), tmp_path / "net.pth"), Hints())
    assert found.graph is None
    assert "--assume asteroids" in found.questions[0]
    assert "--input-shape 3,36,36" in found.questions[1]
    assert found.config["activation"].status is Status.UNKNOWN


def test_the_image_sizes_that_fit_are_all_named(tmp_path: Path) -> None:
    made = Dqn((2, 44, 52), 3)
    found = recovery.recover(save(made.state_dict(), tmp_path / "net.pth"), Hints())
    runs = [one for one in found.config["input_shape"].alternatives if isinstance(one, dict)]
    listed = {
        (one["channels"], h, w)
        for one in runs
        for h in range(one["height"][0], one["height"][1] + 1)
        for w in range(one["width"][0], one["width"][1] + 1)
        if h < 100 and w < 100
    }
    assert listed == _fitting(made.fc[0].in_features)


def _fitting(columns: int) -> set[tuple[int, int, int]]:
    """Return by trial which images below 100 pixels give that many features."""
    places = {}
    for size in range(36, 100):
        n = size
        for kernel, stride in ((8, 4), (4, 2), (3, 1)):
            n = (n - kernel) // stride + 1
        places[size] = n
    return {(2, h, w) for h in places for w in places if places[h] * places[w] * 64 == columns}


def test_the_profile_takes_the_smallest_square_and_larger_ones_change_nothing(tmp_path: Path) -> None:
    made = Dqn((2, 50, 47), 3)
    checkpoint = save(made.state_dict(), tmp_path / "net.pth")
    found = recovery.recover(checkpoint, Hints(None, ("asteroids",)))
    field = found.config["input_shape"]
    assert (field.value, field.status) == ([2, 44, 44], Status.ASSUMED)
    assert [2, 51, 51] in field.alternatives
    x = np.random.default_rng(2).random((3, 2, 50, 47), np.float32)
    with torch.no_grad():
        wanted = made.eval()(torch.from_numpy(x))["q_values"].numpy()
    cropped = np.ascontiguousarray(x[:, :, :44, :44])
    got = run_onnx(session(found, checkpoint), {"obs": cropped})["q_values"]
    np.testing.assert_allclose(got, wanted, 1e-5, 1e-5)


def test_an_image_that_no_square_fits_is_asked_for(tmp_path: Path) -> None:
    found = recovery.recover(
        save(Dqn((2, 44, 36), 3).state_dict(), tmp_path / "net.pth"), Hints(None, ("asteroids",))
    )
    assert found.graph is None
    assert "--input-shape" in found.questions[0]


def test_an_input_shape_that_does_not_fit_is_a_question(tmp_path: Path) -> None:
    found = recovery.recover(
        save(Dqn(SMALL, 3).state_dict(), tmp_path / "net.pth"), Hints((3, 84, 84), ("asteroids",))
    )
    assert found.graph is None
    assert "3,84,84" in found.questions[0]


def test_the_older_network_has_four_convolutions(tmp_path: Path) -> None:
    shape = (1, 80, 72)
    made = Dqn(shape, 3, convolutions=FOUR)
    checkpoint = save(made.state_dict(), tmp_path / "net.pth")
    found = recovery.recover(checkpoint, Hints(shape, ("asteroids",)))
    assert found.config["conv_strides"].value == [8, 2, 1, 1]
    same_outputs(made, found, checkpoint, shape)


def test_a_support_that_is_no_range_is_not_of_the_family(tmp_path: Path) -> None:
    weights = Dqn(SMALL, 3, atoms=5).state_dict()
    for values in ([0.0, 1, 2, 3, 9], [3.0, 2, 1, 0, -1], [0.0, float("nan"), 2, 3, 4]):
        weights["support"] = torch.tensor(values)
        assert recovery.recover(save(weights, tmp_path / "net.pth"), ASSUMED).family == "generic"


def test_a_tensor_without_a_place_is_named_and_stops_the_graph(tmp_path: Path) -> None:
    weights = {**Dqn(SMALL, 3).state_dict(), "extra.weight": torch.zeros(3)}
    found = recovery.recover(save(weights, tmp_path / "net.pth"), ASSUMED)
    assert (found.family, found.unexplained, found.graph) == ("asteroids", ("extra.weight",), None)


def test_buffers_of_noise_may_have_been_dropped(tmp_path: Path) -> None:
    made = Dqn(SMALL, 3, noisy=True)
    weights = {name: value for name, value in made.state_dict().items() if "epsilon" not in name}
    found = recovery.recover(save(weights, tmp_path / "net.pth"), ASSUMED)
    assert found.graph is not None, found.questions
