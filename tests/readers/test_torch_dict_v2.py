"""Versioned torch dicts: plain 2.0, with a manifest, newer, malformed, and unknown."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import ckptkit
from ckptkit.errors import UnknownVersionError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.tree import tensors_in
from tests.readers.torch_truth import assert_same

STATE = {"conv.0.weight": torch.arange(6.0).reshape(2, 3), "conv.0.bias": torch.ones(2)}


def _dict(**changes: object) -> dict[str, object]:
    return {
        "model_state_dict": STATE,
        "model_config": {"input_shape": (4, 84, 84), "n_action": np.int64(6), "v_min": None},
        "training_info": {"frame_idx": 3, "best_eval_reward": -math.inf},
        "version": "2.0",
    } | changes


def _read(tmp_path: Path, value: object, *, legacy: bool = False) -> Checkpoint:
    path = tmp_path / "dqn.pth"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return ckptkit.read(path)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_plain_dict_is_no_bundle(tmp_path: Path, legacy: bool) -> None:
    checkpoint = _read(tmp_path, _dict(), legacy=legacy)
    assert (checkpoint.format, checkpoint.format_version) == ("torch-dict-v2", "2.0")
    assert checkpoint.bundle is None
    assert_same(checkpoint.tensors, STATE)
    assert checkpoint.model_config == {"input_shape": (4, 84, 84), "n_action": 6, "v_min": None}
    assert checkpoint.training_info == {"frame_idx": 3, "best_eval_reward": -math.inf}
    assert checkpoint.dropped == ()


def test_plain_dict_with_further_entries(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, _dict(optimizer_state_dict={"state": {}, "param_groups": []}, note="x"))
    assert checkpoint.training_state == {"optimizer_state_dict": {"state": {}, "param_groups": []}}
    assert checkpoint.training_info["note"] == "x"


@pytest.mark.parametrize("version", ["3.0", "1.0", "12.7", "3"])
def test_unknown_version_is_refused_by_name(tmp_path: Path, version: str) -> None:
    with pytest.raises(UnknownVersionError, match=f"version {version}") as caught:
        _read(tmp_path, _dict(version=version))
    assert caught.value.exit_code == 1


def test_unknown_version_without_description_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(UnknownVersionError, match=r"version 3\.0"):
        _read(tmp_path, {"model_state_dict": STATE, "version": "3.0"})


@pytest.mark.parametrize("version", [3, "next", None])
def test_odd_version_beside_a_manifest_is_refused(tmp_path: Path, version: object) -> None:
    with pytest.raises(UnknownVersionError):
        _read(tmp_path, _dict(version=version, ckpt={}))


def test_newer_minor_version_is_noted(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, _dict(version="2.3"))
    assert checkpoint.format_version == "2.3"
    assert [note.kind for note in checkpoint.notes] == ["newer-minor"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    source, target = tmp_path / "source.pt", tmp_path / "bundle.pt"
    optimizer = {"state": {0: {"m": torch.ones(2)}}, "param_groups": [{"betas": (0.9, 0.99), "lr": 1e-3}]}
    model = {"a": STATE["conv.0.weight"], "b": STATE["conv.0.weight"]}
    config = {"kind": torch.nn.ReLU, "$odd": 1, "low": np.zeros(2, np.float32)}
    torch.save({"state_dict": model, "optimizer": optimizer, "config": config, "epoch": 3}, source)
    ckptkit.convert(source, "v2", target)
    return target


def test_bundle_facts(bundle: Path) -> None:
    checkpoint = ckptkit.read(bundle)
    facts = checkpoint.bundle
    assert facts is not None
    assert facts.manifest is not None
    assert (facts.encoding, facts.manifest_name, facts.manifest_bytes) == (
        "torch-dict",
        "data.pkl:ckpt",
        None,
    )
    assert facts.parse_problems == ()
    assert len(facts.recorded_digest) == 64
    assert facts.recorded_digest == facts.actual_digest
    for field in ("model_config", "training_info", "training_state"):
        assert facts.embedded[field] == facts.manifest[field]
    json.dumps(facts.manifest)


def test_bundle_brings_everything_back(bundle: Path, tmp_path: Path) -> None:
    before, after = ckptkit.read(tmp_path / "source.pt"), ckptkit.read(bundle)
    assert list(after.tensors) == ["a", "b"]
    assert after.tensors["a"].identity[0] == after.tensors["b"].identity[0]
    config = after.model_config["config"]
    assert isinstance(config, dict)
    assert isinstance(config["kind"], ClassRef)
    assert config["$odd"] == 1
    assert after.training_info == before.training_info
    assert list(tensors_in(after.training_state)) == list(tensors_in(before.training_state))


def test_bundle_records_a_digest_for_each_tensor(bundle: Path) -> None:
    checkpoint = ckptkit.read(bundle)
    everything = [*checkpoint.tensors.values(), *tensors_in(checkpoint.training_state).values()]
    assert all(len(tensor.sha256) == 64 for tensor in everything)


MANIFESTS: dict[str, dict[object, object]] = {
    "empty": {},
    "non-text key": {1: 2},
    "tensor inside": {"tensors": torch.ones(1)},
    "tuple inside": {"tensors": (1,)},
    "infinity": {"x": math.inf},
    "odd rows": {"tensors": [1, {"name": 3}, {"name": "conv.0.bias", "sha256": 5}], "spaces": [1]},
    "odd trees": {"spaces": {"$float": "x"}, "preprocessing": {"$set": 3}, "postprocessing": "no"},
}


@pytest.mark.parametrize("kind", sorted(MANIFESTS))
def test_malformed_manifest_is_a_fact_and_no_error(tmp_path: Path, kind: str) -> None:
    checkpoint = _read(tmp_path, _dict(ckpt=MANIFESTS[kind]))
    assert checkpoint.bundle is not None
    assert_same(checkpoint.tensors, STATE)
    assert bool(checkpoint.bundle.parse_problems) == (kind in {
        "non-text key", "tensor inside", "tuple inside", "infinity",
    })  # fmt: skip
    assert checkpoint.bundle.recorded_digest == ""


@pytest.mark.parametrize("tree", [{"$float": "much"}, {"$unknown": 1}, {"$dict": 3}, {"$a": 1, "b": 2}])
def test_malformed_tree_is_a_fact_and_no_error(tmp_path: Path, tree: dict[str, object]) -> None:
    checkpoint = _read(tmp_path, _dict(ckpt={}, model_config=tree))
    assert checkpoint.bundle is not None
    assert any("/model_config" in problem for problem in checkpoint.bundle.parse_problems)


def test_manifest_that_is_no_dict(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, _dict(ckpt=[1, 2]))
    assert checkpoint.bundle is None
    assert checkpoint.training_info["ckpt"] == [1, 2]


def test_unknown_entry_beside_a_manifest_is_noted(tmp_path: Path) -> None:
    checkpoint = _read(tmp_path, _dict(ckpt={}, extra=1))
    assert [(note.kind, note.location) for note in checkpoint.notes] == [("unknown-field", "extra")]
