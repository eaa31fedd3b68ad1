"""`ckptkit migrate`: what it prints and how it ends."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from ckptkit import schema
from tests.conftest import Call
from tests.corpus import CHECKOUT

TORCH = CHECKOUT / "fixtures" / "torch"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    shutil.copy(TORCH / "bare" / "model.pt", root / "good.pt")
    shutil.copy(CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip", root / "ppo.zip")
    return root


@pytest.mark.parametrize("arguments", [[], ["--dry-run"], ["--to", "deploy"], ["--no-backup"]])
def test_json_keeps_its_schema(ckptkit: Call, runs: Path, arguments: list[str]) -> None:
    shutil.copy(TORCH / "versioned_unknown" / "model.pt", runs / "new.pt")
    (runs / "notes.txt").write_text("hello")
    run = ckptkit("migrate", runs, "--format", "json", *arguments)
    assert (run.status, run.err) == (1, "")
    document = json.loads(run.out)
    assert schema.validate("migrate-report-1.0", document, strict=True) == []
    assert document["summary"] == {
        "converted": 2,
        "current": 0,
        "not-a-checkpoint": 1,
        "refused": 1,
        "failed": 0,
    }


def test_text_names_each_file_and_counts_them(ckptkit: Call, runs: Path) -> None:
    run = ckptkit("migrate", runs)
    assert run.status == 0
    lines = run.out.splitlines()
    assert f"{runs}/good.pt: converted to {runs}/good.pt · level 2 verifiable" in lines[0]
    assert f"{runs}/ppo.zip: converted to {runs}/ppo.pt · level 3 reconstructable" in run.out
    assert lines[-1] == "2 files: 2 converted"
    again = ckptkit("migrate", runs)
    assert again.out.splitlines()[-1] == "2 files: 2 already current"


def test_exit_status_is_that_of_the_worst_file(ckptkit: Call, runs: Path) -> None:
    assert ckptkit("migrate", runs, runs.parent / "out").status == 0
    shutil.copy(TORCH / "versioned_unknown" / "model.pt", runs / "new.pt")
    assert ckptkit("migrate", runs, runs.parent / "out").status == 1
    (runs / "cut.pt").write_bytes((runs / "good.pt").read_bytes()[:-30])
    assert ckptkit("migrate", runs, runs.parent / "out").status == 2


def test_nothing_to_migrate_is_a_usage_error(ckptkit: Call, tmp_path: Path) -> None:
    run = ckptkit("migrate", tmp_path)
    assert (run.status, run.out) == (2, "")
    assert "no checkpoint in this directory" in run.err
    assert ckptkit("migrate", tmp_path / "nothing.pt").status == 2


def test_hints_are_passed_on(ckptkit: Call, tmp_path: Path) -> None:
    import torch

    from tests.recovery.seed_models import Dqn

    path = tmp_path / "dqn.pth"
    torch.save(Dqn((2, 36, 36), 4).state_dict(), path)
    run = ckptkit("migrate", path, "--assume", "asteroids", "--input-shape", "2,36,36", "--format", "json")
    assert json.loads(run.out)["files"][0]["level"] == 3


def test_a_terminal_sees_progress_and_a_log_none(
    ckptkit: Call, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ckptkit("migrate", runs, "--dry-run").err == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert ckptkit("migrate", runs, "--dry-run").status == 0
    assert "migrate" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()
