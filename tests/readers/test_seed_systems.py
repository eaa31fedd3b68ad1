"""Every layout of five training systems is read as `expected.json` says, and as the maker's library does."""

import json
from pathlib import Path
from typing import Any

import pytest

import ckptkit
from ckptkit import errors, schema
from ckptkit.digest import tensor_sha256
from ckptkit.model.systems import system
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in
from tests.conftest import Call

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "seed_systems"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
SAFE = sorted(path for path, said in EXPECTED.items() if said.get("verdict") == "data-only")


def _spelled(tensors: dict[str, Tensor]) -> dict[str, list[object]]:
    return {name: [t.dtype.name, list(t.shape), tensor_sha256(t)] for name, t in tensors.items()}


def test_every_system_has_its_layouts() -> None:
    systems = [said.get("system") for said in EXPECTED.values()]
    least = {"asteroids": 7, "keisei": 9, "metta": 15, "rl-snake": 4, "tetris": 5}
    assert {name: systems.count(name) for name in least} == least


@pytest.mark.parametrize("path", EXPECTED)
def test_layout(path: str) -> None:
    expected = EXPECTED[path]
    if "error" in expected:
        with pytest.raises(getattr(errors, expected["error"])):
            ckptkit.read(FOLDER / path)
        return
    found = ckptkit.read(FOLDER / path)
    assert {
        "format": found.format,
        "system": system(found),
        "format_version": found.format_version,
        "verdict": found.verdict,
        "tensors": _spelled(dict(found.tensors)),
        "training_tensors": _spelled(tensors_in(found.training_state)),
        "notes": [note.kind for note in found.notes],
    } == expected
    if found.format != "metta-mpt":  # safetensors has an order of its own
        assert list(found.tensors) == list(expected["tensors"])


@pytest.mark.parametrize("path", EXPECTED)
def test_layout_becomes_a_bundle_that_validates(path: str, tmp_path: Path, ckptkit: Call) -> None:
    run = ckptkit("convert", FOLDER / path, "--to", "deploy", "-o", tmp_path / "out")
    if "error" in EXPECTED[path]:
        assert run.status == 1
        assert not (tmp_path / "out").exists()
        return
    assert run.status == 0, run.err
    assert ckptkit("validate", tmp_path / "out").status == 0


def test_an_unknown_version_is_refused_by_its_number(ckptkit: Call) -> None:
    run = ckptkit("inspect", FOLDER / "metta/train_dir/run_a/checkpoints/model_9999.pt")
    assert (run.status, run.out) == (1, "")
    assert "checkpoint_format_version is 3 (versions 1 and 2 are known)" in run.err


@pytest.mark.parametrize("device", ["0050", "0060"])
def test_tensors_of_another_device_are_those_of_the_cpu(device: str) -> None:
    """The pickle names `cuda:0` or `mps`, which no machine that reads it needs to have."""
    folder = FOLDER / "metta/train_dir/run_a/checkpoints"
    name = {"0050": b"cuda:0", "0060": b"mps"}[device]
    assert name in (folder / f"model_{device}.pt").read_bytes()
    found, plain = ckptkit.read(folder / f"model_{device}.pt"), ckptkit.read(folder / "model_0020.pt")
    assert _spelled(dict(found.tensors)) == _spelled(dict(plain.tensors))


def test_slices_of_one_storage_keep_their_offsets() -> None:
    found = ckptkit.read(FOLDER / "metta/train_dir/run_b/checkpoints/model_0001.pt")
    weight, bias = (found.tensors[f"components.fc1.{name}"] for name in ("weight", "bias"))
    assert weight.storage is bias.storage
    assert (weight.offset, bias.offset) == (0, 6)
    assert weight.numpy().ravel().tolist() == [0, 1, 2, 3, 4, 5]


def test_a_slot_says_what_stands_beside_its_zip() -> None:
    folder = FOLDER / "tetris/checkpoints"
    best, latest = (ckptkit.read(folder / place / "model.zip") for place in ("best", "latest"))
    assert best.training_info["metadata"] == {"best_lines": 17, "episode": 50, "timesteps": 800}
    assert schema.validate("tetris-metadata-1.0", best.training_info["metadata"]) == []
    assert schema.validate("tetris-metadata-1.0", latest.training_info["metadata"]) == []
    assert [file.path for file in latest.files] == ["model.zip", "metadata.json"]
    assert "metadata" not in ckptkit.read(folder / "slots/bare/model.zip").training_info


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ('{"best_lines": 1', ["stray-sidecar"]),
        ('{"best_lines": 1}', ["stray-sidecar"]),
        ('{"a": 1}', []),
        ("[]", []),
        (
            '{"total_timesteps_trained": 1, "num_timesteps": 1, "config": {"net_arch": [9]}}',
            ["contradiction"],
        ),
    ],
)
def test_metadata_that_is_none_or_contradicts_is_noted(tmp_path: Path, text: str, kinds: list[str]) -> None:
    (tmp_path / "model.zip").write_bytes((FOLDER / "tetris/checkpoints/best/model.zip").read_bytes())
    (tmp_path / "metadata.json").write_text(text, encoding="utf-8")
    found = ckptkit.read(tmp_path / "model.zip")
    assert [note.kind for note in found.notes] == kinds
    assert found.tensors


def test_a_replay_buffer_is_never_read_as_weights(ckptkit: Call) -> None:
    run = ckptkit("inspect", FOLDER / "tetris/checkpoints/latest/replay_buffer.pkl")
    assert run.status == 2
    assert "not a checkpoint" in run.err


def test_a_league_entry_says_which_network_it_is() -> None:
    folder = FOLDER / "keisei/league/entries/000007"
    found = ckptkit.read(folder / "weights.pt")
    assert found.model_config == {
        "architecture": "se_resnet",
        "model_params": {"num_blocks": 1, "channels": 2},
    }
    assert [file.path for file in found.files] == ["weights.pt", "metadata.json"]
    said = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    assert schema.validate("keisei-entry-1.0", said) == []


@pytest.mark.parametrize(("text", "notes"), [("{", ["stray-sidecar"]), ("{}", []), ("[1]", [])])
def test_metadata_of_no_league_entry_is_left_alone(tmp_path: Path, text: str, notes: list[str]) -> None:
    weights = FOLDER / "keisei/league/entries/000007/weights.pt"
    (tmp_path / "weights.pt").write_bytes(weights.read_bytes())
    (tmp_path / "metadata.json").write_text(text, encoding="utf-8")
    found = ckptkit.read(tmp_path / "weights.pt")
    assert found.model_config == {}
    assert [note.kind for note in found.notes] == notes


def test_the_json_of_a_named_checkpoint_follows_its_schema() -> None:
    said = json.loads((FOLDER / "asteroids/models/small.json").read_text(encoding="utf-8"))
    assert schema.validate("asteroids-model-1.0", said) == []


@pytest.mark.parametrize(
    ("named", "near"), [("DQN_snake", "DQN_snake.zip"), ("PPO_value.zip", "PPO_value"), ("nothing", "")]
)
def test_a_name_that_is_not_there_leads_to_the_one_that_is(ckptkit: Call, named: str, near: str) -> None:
    folder = FOLDER / "snake/models"
    run = ckptkit("inspect", folder / named)
    assert run.status == 2
    assert run.err.endswith(f"(there is {folder / near})\n" if near else "no such file or directory\n")


def test_an_optimizer_s_own_state_is_no_model() -> None:
    found = ckptkit.read(FOLDER / "keisei/league/entries/000007/optimizer.pt")
    assert not found.tensors
    assert isinstance(found.training_state, dict)
    assert list(found.training_state) == ["state", "param_groups"]
