"""Each bug that the five systems are known for, with the layout on which it showed.

Those of the Asteroids loader are in `tests/training/test_asteroids_bugs.py`.
"""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import ckptkit
from ckptkit import runs
from ckptkit.errors import ArchitectureError, CkptkitError, TargetExistsError, UsageError
from tests.conftest import Call
from tests.corpus import CHECKOUT
from tests.runs.conftest import damage

METTA_A, METTA_B = "metta/train_dir/run_a/checkpoints", "metta/train_dir/run_b/checkpoints"


# --- RL-Snake -------------------------------------------------------------------------------------


def test_bug_snake_a_sidecar_by_reference_needs_no_class(systems: Path) -> None:
    """63 bytes name a class and hold none of it: the network is known all the same."""
    path = systems / "snake/models/PPO_reference"
    assert (path / "feature_extractor.dill").stat().st_size == 63
    policy = ckptkit.load(path)
    action, _ = policy.predict(np.zeros((2, 7), np.float32))
    assert action.shape == (2,)


def test_bug_snake_a_stray_sidecar_is_not_applied(systems: Path) -> None:
    found = ckptkit.read(systems / "snake/models/DQN_snake.zip")
    assert "stray-sidecar" in [note.kind for note in found.notes]
    assert [file.path for file in found.files] == ["DQN_snake.zip"]


def test_bug_snake_the_algorithm_is_not_taken_from_the_file_name(tmp_path: Path) -> None:
    """The original asks whether `PPO` or `DQN` is in the name, so that an A2C never loads."""
    from gymnasium import spaces
    from stable_baselines3 import A2C

    from tests.readers.sb3_models import Env

    model = A2C("MlpPolicy", Env(spaces.Box(0.0, 1.0, (7,)), spaces.Discrete(3)), n_steps=4, seed=1)
    model.save(tmp_path / "PPO_snake.zip")
    assert ckptkit.read(tmp_path / "PPO_snake.zip").model_config["algorithm"] == "A2C"
    seen = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    ours, theirs = (
        ckptkit.load(tmp_path / "PPO_snake.zip").predict(seen),
        model.predict(seen, deterministic=True),
    )
    assert (ours[0] == theirs[0]).all()


def test_bug_snake_a_mismatch_names_the_files_and_the_ways_out(systems: Path, ckptkit: Call) -> None:
    models = systems / "snake/models"
    run = ckptkit("compat", models / "PPO_reference", models / "DQN_snake.zip")
    assert run.status == 1
    for name in ("DQN_snake.zip", "PPO_value", "PPO_reference_flat.zip"):
        assert re.search(rf"^beside .*{name}$", run.out, re.MULTILINE), name
    assert run.out.count("way out") >= 2


def test_bug_snake_a_folder_and_a_flat_file_are_found_in_that_order(systems: Path) -> None:
    models = systems / "snake/models"
    assert ckptkit.read(models / "PPO_value").format == "sb3-directory"
    assert ckptkit.read(models / "PPO_value_flat.zip").format == "sb3-zip"


# --- MettaAgent -----------------------------------------------------------------------------------

REBUILT = [f"{METTA_A}/model_00{n}.pt" for n in (10, 20, 30, 40)] + [
    f"{METTA_B}/model_000{n}.pt" for n in (1, 2, 3, 4)
]


@pytest.mark.parametrize("name", REBUILT)
def test_bug_metta_load_rebuilds_the_agent(systems: Path, name: str) -> None:
    """The original `load()` gives weights and no network that they could be put into."""
    policy = ckptkit.load(systems / name)
    source = ckptkit.read(systems / name).tensors
    assert set(policy.state_dict()) == set(source)
    action, state = policy.predict(np.full((2, 3, 11, 11), 3, np.float32))
    assert action.shape == (2,)
    assert state is not None


def test_bug_metta_a_load_that_fails_is_an_error_and_no_empty_agent(tmp_path: Path) -> None:
    kept = CHECKOUT / "fixtures/seed_systems" / METTA_A / "model_0020.pt"
    with pytest.raises(ArchitectureError):
        ckptkit.load(kept)
    (tmp_path / "model.pt").write_bytes(kept.read_bytes()[:800])
    with pytest.raises(CkptkitError):
        ckptkit.load(tmp_path / "model.pt")


def test_bug_metta_migration_takes_training_files_and_does_not_stop_at_others(
    systems: Path, tmp_path: Path
) -> None:
    done = ckptkit.migrate(systems / "metta", tmp_path / "out", to="deploy")
    fates = {Path(file.path).name: str(file.fate) for file in done.files}
    assert {fates[name] for name in ("model_0030.pt", "model_0040.pt", "trainer_state.pt")} == {"converted"}
    assert fates["model_9999.pt"] == "refused"
    report = ckptkit.validate(tmp_path / "out")
    assert len(report.results) >= 10
    assert not any(result.findings for result in report.results if not result.path.endswith("trainer_state"))


def test_bug_metta_active_indices_of_length_0_are_no_agent_without_actions(tmp_path: Path) -> None:
    from tests.recovery.metta_models import Brain, saved

    torch.save(saved(Brain(active=())), tmp_path / "model.pt")
    with pytest.raises(ArchitectureError, match="active_indices"):
        ckptkit.load(tmp_path / "model.pt")
    policy = ckptkit.load(tmp_path / "model.pt", assume=["metta"])
    seen = torch.zeros(1, 3, 11, 11)
    state = [torch.zeros(2, 1, 6), torch.zeros(2, 1, 6)]
    outputs = policy(
        {"obs": seen, "state.0": state[0], "state.1": state[1], "episode_start": torch.ones(1).bool()}
    )
    assert outputs["logits"].shape == (1, 9)
    assert "action" not in outputs


def test_bug_metta_action_names_are_carried_and_compared(systems: Path, tmp_path: Path) -> None:
    """Weights alone lose which embedding is which action: the names travel in the manifest."""
    from fixtures.system_runs import brain
    from tests.recovery.metta_models import saved

    for name, words in (("a", ["noop", "move", "turn"]), ("b", ["noop", "turn", "move"])):
        torch.save(saved(brain(), metadata={"action_names": words}), tmp_path / f"{name}.pt")
        ckptkit.convert(tmp_path / f"{name}.pt", "deploy", tmp_path / name)
    text = (tmp_path / "a/ckpt.json").read_text(encoding="utf-8")
    assert re.search(r'"noop",\s*"move",\s*"turn"', text)
    found = ckptkit.check_compatibility(tmp_path / "a", against=tmp_path / "b")
    assert any(reason.aspect == "actions" for reason in found.reasons)


# --- Tetris ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["best", "slots/my_best_run", "slots/bare"])
def test_bug_tetris_slots_without_config_load(systems: Path, place: str) -> None:
    """The original asks the metadata for `config`, which `best` and slots do not have."""
    path = systems / "tetris/checkpoints" / place / "model.zip"
    metadata = path.with_name("metadata.json")
    assert not metadata.is_file() or "config" not in json.loads(metadata.read_text())
    action, _ = ckptkit.load(path).predict(np.zeros((1, 40, 13), np.float32))
    assert 0 <= int(action[0]) < 40


def test_bug_tetris_a_save_that_fails_leaves_no_half_slot(
    systems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = systems / "tetris/checkpoints/latest"
    slots = runs.Slots(tmp_path / "slots")
    slots.save("a", systems / "tetris/checkpoints/best")
    before = {path.name: path.read_bytes() for path in (slots.folder / "a").iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name in ("a", "b"):
        with pytest.raises(CkptkitError, match="the disk is full"):
            slots.save(name, source, replace=True)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in (slots.folder / "a").iterdir()} == before
    assert [path.name for path in slots.folder.iterdir()] == ["a"]


def test_bug_tetris_a_slot_is_never_overwritten_in_silence(systems: Path, tmp_path: Path) -> None:
    slots = runs.Slots(tmp_path / "slots")
    slots.save("a", systems / "tetris/checkpoints/best")
    with pytest.raises(TargetExistsError):
        slots.save("a", systems / "tetris/checkpoints/latest")
    with pytest.raises(TargetExistsError):
        slots.export("a", slots.export("a", tmp_path / "shared.zip"))


@pytest.mark.parametrize("name", ["../../x", "a/b", "", "..", "a\x00b", "x.zip"])
def test_bug_tetris_names_lead_nowhere_else(systems: Path, tmp_path: Path, name: str) -> None:
    slots = runs.Slots(tmp_path / "slots")
    with pytest.raises(UsageError, match="is no name of a slot"):
        slots.save(name, systems / "tetris/checkpoints/best")
    assert list(tmp_path.iterdir()) == []


# --- Keisei ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cut", "flipped", "empty"])
def test_bug_keisei_the_latest_is_never_a_corrupt_file(systems: Path, tmp_path: Path, how: str) -> None:
    """The original takes the file that was touched last, whatever is in it."""
    run = tmp_path / "run"
    shutil.copytree(systems / "keisei/models/run_a", run)
    (run / "final_model.pth").unlink()
    newest = run / "checkpoint_ts20480.pth"
    match how:
        case "cut":
            newest.write_bytes(newest.read_bytes()[:9000])
        case "flipped":
            damage(newest)
        case _:
            newest.write_bytes(b"")
    os.utime(newest)
    found = ckptkit.find_latest_checkpoint(run)
    assert found.path == run / "checkpoint_ts16384.pth"
    assert [one.path for one in found.skipped] == [newest]
    (chosen,) = runs.select(run).chosen
    assert chosen.path == found.path


@pytest.mark.parametrize("channels", [51, 46])
def test_bug_keisei_planes_are_adapted_and_outputs_stay(
    systems: Path, tmp_path: Path, ckptkit: Call, channels: int
) -> None:
    """Padding from 46 to 51 planes existed, and nothing called it."""
    import ckptkit as package

    source = systems / "keisei/models/run_46/final_model.pth"
    wide = tmp_path / "wide"
    change = f"input-channels={channels}"
    run = ckptkit("convert", source, "--to", "deploy", "-o", wide, "--adapt", change)
    assert run.status == 0, run.err
    seen = torch.rand(2, channels, 9, 9)
    old = package.load(source).eval()(seen[:, :46])
    new = package.load(wide).eval()(seen)
    assert new.keys() == old.keys()
    for name in old:
        torch.testing.assert_close(new[name], old[name])


def test_bug_keisei_compiled_files_load(systems: Path) -> None:
    """`torch.compile` puts `_orig_mod.` before every name, and the evaluator finds none of its own."""
    run = systems / "keisei/models/run_a"
    compiled, plain = (ckptkit.load(run / name) for name in ("final_model.pth", "checkpoint_ts20480.pth"))
    assert all(name.startswith("_orig_mod.") for name in compiled.state_dict())
    seen = torch.rand(2, 5, 9, 9)
    old, new = plain.eval()(seen), compiled.eval()(seen)
    for name in old:
        assert torch.equal(old[name], new[name])
