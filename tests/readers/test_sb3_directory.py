"""Sidecars of the extractor: where they belong to a zip, and where they only stand beside one."""

import json
import pickle
import shutil
from pathlib import Path

import pytest

from ckptkit.errors import NotACheckpointError, UnreadableCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef
from ckptkit.readers import find, sb3_directory
from ckptkit.storage.probe import Probe
from tests.readers.sb3_models import ppo, read

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "sb3"
BY_REFERENCE = FIXTURES / "extractor_by_reference" / "PPO_extractor_by_reference"
EXTRACTOR = ClassRef("rl_snake.agents.feature_extractor", "LinearQNet")


@pytest.fixture
def folder(tmp_path):
    """A copy of the directory layout, to be changed."""
    return Path(shutil.copytree(BY_REFERENCE, tmp_path / BY_REFERENCE.name))


def zip_of(folder):
    return folder / f"{folder.name}.zip"


def test_directory_and_its_zip_say_the_same(folder):
    whole, single = read(folder), read(zip_of(folder))
    assert (whole.format, whole.container) == ("sb3-directory", "directory")
    assert (single.format, single.container) == ("sb3-zip", "zip")
    assert whole.model_config == single.model_config
    assert whole.model_config["features_extractor"]["source"] == "feature_extractor.dill"
    assert [(f.path, f.role) for f in whole.files] == [
        (f"{folder.name}.zip", "weights"),
        ("feature_extractor.dill", "sidecar"),
        ("feature_extractor_kwargs.json", "sidecar"),
    ]
    assert whole.files[0].path == single.files[0].path


def test_a_class_by_reference_is_a_fact_and_no_code(folder):
    checkpoint = read(folder)
    assert checkpoint.verdict is Verdict.DATA_ONLY
    facts = {(fact.kind, fact.name) for fact in checkpoint.code if fact.where == "feature_extractor.dill"}
    assert facts == {("reference", str(EXTRACTOR))}


def test_a_class_by_value_is_read_from_its_own_body():
    folder = FIXTURES / "extractor_by_value" / "PPO_extractor_by_value"
    checkpoint = read(folder)
    assert checkpoint.verdict is Verdict.CONTAINS_CODE
    assert checkpoint.carries_code
    codes = [f for f in checkpoint.code if f.kind == "code" and f.where == "feature_extractor.dill"]
    used = {name for fact in codes for name in fact.names}
    assert {"Linear", "ReLU", "Sequential", "linear"} <= used


def test_beside_a_flat_zip_sidecars_are_stray(folder, tmp_path):
    flat = tmp_path / "models"
    folder.rename(flat)
    checkpoint = read(flat / f"{BY_REFERENCE.name}.zip")
    assert [note.kind for note in checkpoint.notes] == ["stray-sidecar", "stray-sidecar"]
    assert [file.path for file in checkpoint.files] == [f"{BY_REFERENCE.name}.zip"]
    assert checkpoint.model_config["features_extractor"]["source"] == "data:policy_kwargs"


def test_a_hostile_stray_sidecar_is_not_read(folder, tmp_path):
    (folder / "feature_extractor.dill").write_bytes(b"\x80\x04cos\nsystem\n.")
    folder.rename(tmp_path / "models")
    assert read(tmp_path / "models" / f"{BY_REFERENCE.name}.zip").verdict is Verdict.DATA_ONLY


def test_a_contradiction_is_noted_and_the_sidecar_taken(folder):
    (folder / "feature_extractor_kwargs.json").write_text('{"features_dim": 9}')
    (folder / "feature_extractor.dill").write_bytes(b"\x80\x04cother.place\nNet\n.")
    checkpoint = read(folder)
    assert [note.kind for note in checkpoint.notes] == ["contradiction", "contradiction"]
    said = checkpoint.model_config["features_extractor"]
    assert (said["class"], said["kwargs"]) == (ClassRef("other.place", "Net"), {"features_dim": 9})


def test_kwargs_without_a_class_and_a_class_without_kwargs(folder):
    (folder / "feature_extractor.dill").unlink()
    checkpoint = read(folder)
    assert [note.kind for note in checkpoint.notes] == ["incomplete-sidecar"]
    assert checkpoint.model_config["features_extractor"]["class"] == EXTRACTOR
    shutil.copy(BY_REFERENCE / "feature_extractor.dill", folder)
    (folder / "feature_extractor_kwargs.json").unlink()
    checkpoint = read(folder)
    assert [note.kind for note in checkpoint.notes] == ["contradiction"]


def test_a_directory_without_sidecars(folder):
    for name in ("feature_extractor.dill", "feature_extractor_kwargs.json"):
        (folder / name).unlink()
    checkpoint = read(folder)
    assert checkpoint.format == "sb3-directory"
    assert not checkpoint.notes


BROKEN = {
    "text": ("feature_extractor.dill", b"hello"),
    "empty": ("feature_extractor.dill", b""),
    "no class": ("feature_extractor.dill", pickle.dumps([1])),
    "junk behind": ("feature_extractor.dill", (BY_REFERENCE / "feature_extractor.dill").read_bytes() + b"x"),
    "no JSON": ("feature_extractor_kwargs.json", b"{"),
    "NaN": ("feature_extractor_kwargs.json", b'{"features_dim": NaN}'),
    "duplicate": ("feature_extractor_kwargs.json", b'{"a": 1, "a": 2}'),
    "no object": ("feature_extractor_kwargs.json", b"[]"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_sidecars(folder, name):
    file, content = BROKEN[name]
    (folder / file).write_bytes(content)
    with pytest.raises(UnreadableCheckpointError) as caught:
        read(folder)
    assert str(folder / file) in str(caught.value)


def test_a_hostile_sidecar_makes_the_checkpoint_unsafe(folder, audited):
    (folder / "feature_extractor.dill").write_bytes(b"\x80\x04cbuiltins\neval\n(S'0'\ntR.")
    checkpoint = read(folder)
    assert checkpoint.verdict is Verdict.UNSAFE
    assert [use.where for use in checkpoint.globals if not use.allowed] == ["feature_extractor.dill"]


def test_a_directory_of_several_checkpoints_is_none_itself(folder):
    shutil.copy(zip_of(folder), folder / "best.zip")
    with pytest.raises(NotACheckpointError):
        find(Probe(folder))


def test_a_directory_with_other_folders_is_none_itself(folder):
    (folder / "runs").mkdir()
    assert not sb3_directory.recognises(Probe(folder))


def test_a_directory_whose_zip_has_another_name_is_none_itself(folder):
    zip_of(folder).rename(folder / "model.zip")
    assert not sb3_directory.recognises(Probe(folder))


def test_a_relative_path_from_inside_the_directory(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert read(zip_of(folder).name).model_config["features_extractor"]["source"] == "feature_extractor.dill"
    assert read(".").format == "sb3-directory"


def test_extractor_of_the_same_name_without_policy_kwargs(tmp_path):
    folder = tmp_path / "PPO_x"
    folder.mkdir()
    ppo().save(folder / "PPO_x.zip")
    (folder / "feature_extractor_kwargs.json").write_text(json.dumps({"features_dim": 3}))
    said = read(folder).model_config["features_extractor"]
    assert said == {"kwargs": {"features_dim": 3}, "source": "feature_extractor_kwargs.json"}
