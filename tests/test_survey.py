"""`ckptkit inspect DIR`: systems, runs, steps, the newest, what is broken, and what belongs to nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ckptkit import schema
from ckptkit.api.surveying import survey
from ckptkit.errors import NotACheckpointError
from tests.conftest import Call
from tests.corpus import CHECKOUT

FOLDER = CHECKOUT / "fixtures" / "seed_systems"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"


def report(ckptkit: Call, *arguments: object) -> dict[str, Any]:
    run = ckptkit("inspect", *arguments, "--format", "json")
    document: dict[str, Any] = json.loads(run.out)
    assert schema.validate("directory-report-1.0", document, strict=True) == []
    return document


def save(path: Path, **entries: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model_state_dict": {"w": torch.ones(2)}, **entries}, path)


def test_every_checkpoint_of_a_tree_is_named_with_its_system(ckptkit: Call) -> None:
    found = {entry["path"]: entry["system"] for entry in report(ckptkit, FOLDER)["checkpoints"]}
    assert found == {path: said.get("system") for path, said in EXPECTED.items()}


def test_a_run_is_in_the_order_of_its_training_and_its_newest_is_named(ckptkit: Call) -> None:
    document = report(ckptkit, FOLDER / "keisei" / "models")
    assert [entry["step"] for entry in document["checkpoints"]] == [4096, 8192, 12288, 16384, 20480, 20480]
    assert document["checkpoints"][0]["step_from"] == "file name"
    (run,) = document["runs"]
    assert run == {
        "path": "run_a",
        "systems": ["keisei"],
        "checkpoints": 6,
        "unusable": 0,
        "bytes": sum(path.stat().st_size for path in (FOLDER / "keisei/models/run_a").iterdir()),
        "newest": "run_a/final_model.pth",
    }


def test_files_that_belong_to_no_checkpoint_are_listed(ckptkit: Call) -> None:
    document = report(ckptkit, FOLDER)
    assert [row["path"] for row in document["stray"]] == [
        "snake/models/feature_extractor.dill",
        "tetris/checkpoints/final/replay_buffer.pkl",
        "tetris/checkpoints/latest/replay_buffer.pkl",
    ]


def test_what_is_broken_is_said_and_is_never_the_newest(ckptkit: Call, tmp_path: Path) -> None:
    save(tmp_path / "a" / "dqn_1.pth", frame_idx=10)
    save(tmp_path / "a" / "dqn_2.pth", frame_idx=20)
    whole = (tmp_path / "a" / "dqn_2.pth").read_bytes()
    (tmp_path / "a" / "dqn_3.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a" / "dqn_4.pth").write_text(POINTER, encoding="utf-8")
    torch.save(
        {"optimizer_state_dict": {"state": {}, "param_groups": []}, "frame_idx": 90}, tmp_path / "a/t.pt"
    )
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    document = report(ckptkit, tmp_path)
    status = {Path(entry["path"]).name: entry["status"] for entry in document["checkpoints"]}
    assert status == {
        "dqn_1.pth": "readable",
        "dqn_2.pth": "readable",
        "dqn_3.pth": "broken",
        "dqn_4.pth": "pointer",
        "t.pt": "readable",
    }
    assert document["runs"][0]["newest"] == "a/dqn_2.pth"
    text = ckptkit("inspect", tmp_path)
    assert text.status == 2
    assert text.err == ""
    assert "2 unusable ones" in text.out
    assert "git lfs pull" in text.out


def test_counts_of_different_fields_are_not_compared(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path / f"x{step}.pt", epoch=step)
    save(tmp_path / "y.pt", global_step=10**6)
    (run,) = survey(tmp_path).runs
    assert run.newest is not None
    assert run.newest.path == "x3.pt"


def test_where_no_count_tells_there_is_no_newest(ckptkit: Call, tmp_path: Path) -> None:
    save(tmp_path / "best.pt")
    save(tmp_path / "last.pt")
    assert report(ckptkit, tmp_path)["runs"][0]["newest"] is None


def test_an_unsafe_checkpoint_is_called_so(ckptkit: Call, tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "fixtures/conformance/pickle-forbidden-call", tmp_path / "case")
    document = report(ckptkit, tmp_path)
    assert {entry["status"] for entry in document["checkpoints"]} == {"unsafe"}
    assert ckptkit("inspect", tmp_path).status == 1


def test_names_cannot_forge_lines(ckptkit: Call, tmp_path: Path) -> None:
    save(tmp_path / "x.pt")
    (tmp_path / "x.pt").rename(tmp_path / "a\n\x1b[2Jb.pt")
    run = ckptkit("inspect", tmp_path)
    assert "\x1b" not in run.out
    assert len(run.out.splitlines()) == 4


def test_a_long_run_is_cut_in_text_alone(ckptkit: Call, tmp_path: Path) -> None:
    for step in range(30):
        save(tmp_path / f"epoch_{step:03}.pt", epoch=step)
    assert "18 more in --format json" in ckptkit("inspect", tmp_path).out
    assert len(report(ckptkit, tmp_path)["checkpoints"]) == 30


def test_a_directory_that_is_one_checkpoint_is_inspected_as_one(ckptkit: Call) -> None:
    path = FOLDER / "snake" / "models" / "PPO_reference"
    document = json.loads(ckptkit("inspect", path, "--format", "json").out)
    assert document["format"] == "sb3-directory"


def test_a_hint_takes_each_checkpoint_by_itself(ckptkit: Call) -> None:
    run = ckptkit("inspect", FOLDER / "keisei" / "models", "--assume", "keisei", "--format", "json")
    assert len(json.loads(run.out)) == 6


def test_several_paths_are_an_array(ckptkit: Call) -> None:
    run = ckptkit("inspect", FOLDER / "keisei", FOLDER / "tetris", "--format", "json")
    assert [Path(one["path"]).name for one in json.loads(run.out)] == ["keisei", "tetris"]


def test_a_directory_without_checkpoints_is_said(ckptkit: Call, tmp_path: Path) -> None:
    run = ckptkit("inspect", tmp_path)
    assert (run.status, run.out) == (2, "")
    assert "no checkpoint in this directory" in run.err
    with pytest.raises(NotACheckpointError):
        survey(tmp_path)
