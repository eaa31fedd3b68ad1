"""Keisei networks: the tower with and without squeeze-and-excitation, the older one, eras, prefixes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ckptkit import recovery
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered, Status
from ckptkit.recovery.keisei.ratio import interval, simplest
from tests.recovery.comparing import run_onnx, session
from tests.recovery.seed_models import ActorCritic, Tower, save

ASSUMED = Hints(None, ("keisei",))


def same_outputs(made: nn.Module, found: Recovered, checkpoint: Checkpoint, planes: int) -> None:
    """Compare the recovered network with the one that it was saved from."""
    x = np.random.default_rng(1).random((3, planes, 9, 9), np.float32)
    with torch.no_grad():
        wanted = {name: value.numpy() for name, value in made.eval()(torch.from_numpy(x)).items()}
    got = run_onnx(session(found, checkpoint), {"obs": x})
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("planes", [46, 51])
@pytest.mark.parametrize(
    ("width", "depth", "ratio"), [(8, 1, None), (12, 3, 0.25), (10, 2, 0.5), (6, 1, 0.1), (8, 0, None)]
)
def test_a_tower_is_rebuilt_from_a_bare_state_dict(
    tmp_path: Path, planes: int, width: int, depth: int, ratio: float | None
) -> None:
    made = Tower(planes, width, depth, ratio)
    checkpoint = save(made.state_dict(), tmp_path / "weights.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    config = found.config
    names = ("input_channels", "num_actions_total", "tower_width", "tower_depth")
    assert [config[name].value for name in names] == [planes, 30, width, depth]
    assert all(config[name].status is Status.PROVEN for name in names)
    assert config["se_ratio"].status is not Status.PROVEN
    if ratio:
        (run,) = config["se_ratio"].alternatives
        assert isinstance(run, dict)
        assert run.get("at_least", 0.0) <= ratio < run["below"]
    same_outputs(made, found, checkpoint, planes)


@pytest.mark.parametrize("planes", [46, 51])
def test_the_older_network_is_rebuilt(tmp_path: Path, planes: int) -> None:
    made = ActorCritic(planes, 40)
    checkpoint = save(made.state_dict(), tmp_path / "weights.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    assert found.config["era"].value == "actor_critic"
    same_outputs(made, found, checkpoint, planes)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod.", "policy."])
def test_wrappers_stay_in_the_names_of_the_layers(tmp_path: Path, prefix: str) -> None:
    made = Tower(46, 8, 1, 0.25)
    weights = {f"{prefix}{name}": value for name, value in made.state_dict().items()}
    checkpoint = save(weights, tmp_path / "weights.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    assert found.graph is not None
    assert found.config["name_prefix"].value == checkpoint_prefix(checkpoint)
    assert f"{checkpoint_prefix(checkpoint)}stem" in {layer.name for layer in found.graph.layers}
    same_outputs(made, found, checkpoint, 46)


def checkpoint_prefix(checkpoint: Checkpoint) -> str:
    """Return what stands before `stem`."""
    return next(name for name in checkpoint.tensors if name.endswith("stem.weight")).removesuffix(
        "stem.weight"
    )


def test_a_compiled_part_keeps_its_own_names(tmp_path: Path) -> None:
    made = Tower(46, 8, 2, None)
    weights = {
        name.replace("res_blocks.1.", "res_blocks.1._orig_mod."): value
        for name, value in made.state_dict().items()
    }
    checkpoint = save(weights, tmp_path / "weights.pt")
    found = recovery.recover(checkpoint, ASSUMED)
    assert found.graph is not None, found.questions
    assert "res_blocks.1._orig_mod.conv1" in {layer.name for layer in found.graph.layers}
    assert found.config["compiled_prefix"].value is True
    same_outputs(made, found, checkpoint, 46)


ERAS: dict[str, dict[str, object]] = {"E1": {"optimizer_state_dict": {"state": {}, "param_groups": []}}}
ERAS["E2"] = ERAS["E1"] | {"global_timestep": 5, "total_episodes_completed": 1}
ERAS["E3"] = ERAS["E2"] | {"black_wins": 1, "white_wins": 2, "draws": 0}
ERAS["E4"] = ERAS["E3"] | {
    "scheduler_state_dict": None,
    "lr_schedule_type": "linear",
    "lr_schedule_step_on": "epoch",
}
ERAS["E5"] = ERAS["E4"] | {"elo_state": {"black": 1500.0}, "metrics_history": {"loss": [1.0]}}
ERAS["epochs"] = ERAS["E1"] | {"epoch": 3, "step": 9, "world_size": 1, "rng_states": {}}


@pytest.mark.parametrize("era", list(ERAS))
def test_the_era_is_read_from_the_entries_beside_the_network(tmp_path: Path, era: str) -> None:
    made = Tower(46, 8, 1, None)
    checkpoint = save({"model_state_dict": made.state_dict(), **ERAS[era]}, tmp_path / "checkpoint.pth")
    found = recovery.recover(checkpoint, Hints())
    assert (found.config["era"].value, found.config["era"].status) == (era, Status.PROVEN)
    assert (found.graph is not None) == (era in ("E3", "E4", "E5"))
    if found.graph is None:
        assert "--assume keisei" in found.questions[0]


def test_weights_alone_do_not_say_the_era_or_the_sides_of_the_board(tmp_path: Path) -> None:
    found = recovery.recover(save(Tower(46, 8, 1, None).state_dict(), tmp_path / "weights.pt"), Hints())
    assert found.config["era"].status is Status.UNKNOWN
    assert found.config["board"].status is Status.CONSTRAINED
    assert [9, 9] in found.config["board"].alternatives


def test_a_board_of_the_users_own_word_is_taken_where_it_fits(tmp_path: Path) -> None:
    checkpoint = save(Tower(46, 8, 1, None).state_dict(), tmp_path / "weights.pt")
    found = recovery.recover(checkpoint, Hints((46, 3, 27), ("keisei",)))
    assert found.graph is not None
    assert found.graph.inputs["obs"].shape == (None, 46, 3, 27)
    for shape in ((46, 8, 8), (51, 9, 9), (81,)):
        assert recovery.recover(checkpoint, Hints(shape, ("keisei",))).graph is None


def test_ratios_are_the_interval_that_gives_the_hidden_width() -> None:
    for width in (1, 3, 24, 96, 256):
        for step in range(1, 101):
            ratio = step / 100
            hidden = max(1, int(width * ratio))
            run = interval(hidden, width)
            assert run.get("at_least", 0.0) <= ratio + 1e-12
            assert ratio < run["below"]
            assert max(1, int(width * simplest(hidden, width))) == hidden
    assert (simplest(6, 24), simplest(64, 256), simplest(12, 24)) == (0.25, 0.25, 0.5)
