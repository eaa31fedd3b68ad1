"""The `config.yaml` of an Asteroids run is read with its checkpoints, and with nobody else's."""

import shutil
from pathlib import Path

import pytest
import torch

import ckptkit
from tests.corpus import CHECKOUT

RUN = CHECKOUT / "fixtures" / "seed_systems" / "asteroids" / "checkpoints" / "2025-06-01_SpaceInvaders_try"


@pytest.mark.parametrize("name", ["dqn_1000.pth", "dqn_best.pth"])
def test_the_settings_of_the_run_are_training_info(name: str) -> None:
    found = ckptkit.read(RUN / name)
    config = found.training_info["run_config"]
    assert isinstance(config, dict)
    assert config["game"] == "SpaceInvaders"
    assert config["v_min"] == 0.0
    assert config["epsilon"] == {"start": 1.0, "final": 0.02}
    assert [(file.path, file.role) for file in found.files] == [(name, "weights"), ("config.yaml", "sidecar")]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a: !!python/object/apply:os.system [x]\n", "line 1"),
        (b"\xff\xfe", "decode"),
        (b"a: 1\n" * 100_000, "bytes, at most"),
    ],
    ids=["tag", "not-text", "large"],
)
def test_settings_of_another_kind_are_noted_and_left_out(tmp_path: Path, data: bytes, says: str) -> None:
    shutil.copyfile(RUN / "dqn_best.pth", tmp_path / "dqn_best.pth")
    (tmp_path / "config.yaml").write_bytes(data)
    found = ckptkit.read(tmp_path / "dqn_best.pth")
    assert found.training_info == {}
    (note,) = found.notes
    assert note.kind == "stray-sidecar"
    assert says in note.message


def test_the_settings_of_another_system_are_not_read(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.ones(1)}, tmp_path / "model.pt")
    (tmp_path / "config.yaml").write_text("game: chess\n", encoding="utf-8")
    found = ckptkit.read(tmp_path / "model.pt")
    assert found.training_info == {}
    assert found.notes == ()
