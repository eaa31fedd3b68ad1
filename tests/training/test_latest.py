"""The newest checkpoint that is whole: by step, not by time; what was skipped is said."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ckptkit
from ckptkit.errors import NotACheckpointError
from ckptkit.model.progress import step_in_name, step_of

MODEL = nn.Linear(3, 2)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a current file of step 100, one of step 200, and a bare one of step 50 by its name."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    for step in (200, 100):
        ckptkit.save_for_training(folder / f"model_{step}.pt", MODEL, rng=False, step=step)
    torch.save(MODEL.state_dict(), folder / "dqn_50.pth")
    (folder / "config.yaml").write_text("lr: 1\n")
    return folder


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)


def test_the_highest_step_comes_first_whatever_the_time(run: Path) -> None:
    os.utime(run / "model_200.pt", (1, 1))
    found = ckptkit.find_latest_checkpoint(run)
    assert (found.path, found.step, found.skipped) == (run / "model_200.pt", 200, ())


def test_training_info_counts_before_the_name(run: Path) -> None:
    ckptkit.save_for_training(run / "best_999.pt", MODEL, rng=False, training_info={"frame_idx": 150})
    assert ckptkit.find_latest_checkpoint(run).step == 200
    ckptkit.save_for_training(run / "best.pt", MODEL, rng=False, training_info={"frame_idx": 300})
    assert ckptkit.find_latest_checkpoint(run).path == run / "best.pt"


@pytest.mark.parametrize("how", [damage, lambda path: path.write_bytes(path.read_bytes()[:700])])
def test_a_broken_newest_is_skipped_with_its_reason(run: Path, how: Any) -> None:
    how(run / "model_200.pt")
    found = ckptkit.find_latest_checkpoint(run)
    assert (found.path, found.step) == (run / "model_100.pt", 100)
    (skipped,) = found.skipped
    assert skipped.path == run / "model_200.pt"
    assert skipped.reason


def test_empty_and_foreign_files_are_named_where_they_look_like_checkpoints(run: Path) -> None:
    (run / "model_300.pt").write_bytes(b"")
    (run / "latest.pth").write_text("not one")
    (run / ".model_400.pt.1234.ckptkit-tmp").write_bytes(b"half")
    found = ckptkit.find_latest_checkpoint(run)
    assert found.path == run / "model_200.pt"
    assert {skipped.path.name for skipped in found.skipped} == {"model_300.pt", "latest.pth"}


def test_an_unsafe_file_is_skipped(run: Path) -> None:
    class Call:
        def __reduce__(self) -> Any:
            return os.getcwd, ()

    torch.save({"model_state_dict": MODEL.state_dict(), "step": 900, "x": Call()}, run / "model_900.pt")
    found = ckptkit.find_latest_checkpoint(run)
    assert found.path == run / "model_200.pt"
    assert "CK102" in found.skipped[0].reason


def test_a_file_without_a_model_is_no_place_to_go_on_from(run: Path) -> None:
    state = torch.optim.Adam(MODEL.parameters()).state_dict()
    torch.save({"optimizer_state_dict": state, "agent_step": 900}, run / "trainer_state.pt")
    found = ckptkit.find_latest_checkpoint(run)
    assert found.path == run / "model_200.pt"
    assert [skipped.reason for skipped in found.skipped] == ["holds no model"]


def test_the_level_is_chosen(run: Path) -> None:
    found = ckptkit.find_latest_checkpoint(run, level=3)
    assert found.path is None
    assert len(found.skipped) == 3
    ckptkit.find_latest_checkpoint(run, level=2)
    config = ckptkit.ModelConfig(input_shape=(1, 36, 36), n_action=2)
    network = ckptkit.create_model_from_config(config)
    ckptkit.save_model_checkpoint(network, config, {"frame_idx": 3}, run / "small.pth")
    assert ckptkit.find_latest_checkpoint(run, level=3).path == run / "small.pth"


def test_the_parent_is_searched_where_nothing_here_is_valid(run: Path) -> None:
    empty = run.parent / "two"
    empty.mkdir()
    assert ckptkit.find_latest_checkpoint(empty).path is None
    torch.save(MODEL.state_dict(), run.parent / "final_model.pth")
    found = ckptkit.find_latest_checkpoint(empty)
    assert (found.path, found.step) == (empty.resolve().parent / "final_model.pth", None)
    assert ckptkit.find_latest_checkpoint(empty, parent=False).path is None
    (empty / "model_9.pt").write_bytes(b"")
    found = ckptkit.find_latest_checkpoint(empty)
    assert found.path is not None
    assert [skipped.path for skipped in found.skipped] == [empty / "model_9.pt"]


def test_bundles_in_the_folder_are_checkpoints_too(run: Path) -> None:
    ckptkit.save_for_training(run / "a.pt", MODEL, rng=False, step=500)
    ckptkit.convert(run / "a.pt", "deploy", run / "bundle_600")
    (run / "a.pt").unlink()
    found = ckptkit.find_latest_checkpoint(run)
    assert (found.path, found.step) == (run / "bundle_600", 500)


def test_without_steps_the_newest_in_time_is_taken(tmp_path: Path) -> None:
    for at, name in enumerate(("b.pt", "a.pt", "c.pt")):
        torch.save(MODEL.state_dict(), tmp_path / name)
        os.utime(tmp_path / name, (100 - at, 100 - at))
    assert ckptkit.find_latest_checkpoint(tmp_path).path == tmp_path / "b.pt"


def test_a_folder_that_is_not_there_is_no_empty_run(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpointError, match="no such directory"):
        ckptkit.find_latest_checkpoint(tmp_path / "absent")


@pytest.mark.parametrize(
    ("stem", "step"),
    [
        ("dqn_250000", 250000),
        ("dqn_asteroids_100", 100),
        ("checkpoint_ts5000", 5000),
        ("ppo_shogi_ep3_ts1200", 1200),
        ("epoch_00012", 12),
        ("model_0001", 1),
        ("rl_model_5000_steps", 5000),
        ("step-700_epoch_9", 700),
        ("final_model", None),
        ("dqn_best", None),
    ],
)
def test_steps_in_names(stem: str, step: int | None) -> None:
    assert step_in_name(stem) == step


def test_steps_in_training_info() -> None:
    assert step_of({"epoch": 3, "frame_idx": 700}) == 700
    assert step_of({"epoch": 3}) == 3
    assert step_of({"step": True, "epoch": "3"}) is None
