"""`torch.package` archives: the one object is read, the sources in it are listed, nothing is imported."""

import importlib
import sys
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import ckptkit
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.checkpoint import Checkpoint
from tests.conftest import Call

SOURCE = """
import torch


class Policy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(2, 3)
        self.tied = self.fc
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.nn.Module]:
    """A module of a package whose source torch can find, as it must to put it into an archive."""
    folder = tmp_path / "code" / "packaged_agent"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "policy.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    made: torch.nn.Module = importlib.import_module("packaged_agent.policy").Policy()
    yield made
    for name in [name for name in sys.modules if name.startswith("packaged_agent")]:
        del sys.modules[name]


def packaged(path: Path, *objects: tuple[str, str, object]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own use of typed storages
        _export(path, objects)
    return path


def _export(path: Path, objects: tuple[tuple[str, str, object], ...]) -> None:
    with torch.package.PackageExporter(path) as exporter:
        exporter.intern("packaged_agent.**")
        exporter.extern("**")
        for package, name, value in objects:
            exporter.save_pickle(package, name, value)


def read(path: Path) -> Checkpoint:
    return ckptkit.read(path)


def test_the_state_dict_is_torch_s_own(policy: torch.nn.Module, tmp_path: Path, ckptkit: Call) -> None:
    path = packaged(tmp_path / "p.pt", ("policy", "data.pkl", policy))
    for name in [name for name in sys.modules if name.startswith("packaged_agent")]:
        del sys.modules[name]
    found = read(path)
    assert not any(name.startswith("packaged_agent") for name in sys.modules)
    assert (found.format, found.container, found.verdict) == (
        "torch-module",
        "torch-package",
        "contains-code",
    )
    wanted = policy.state_dict()
    assert list(found.tensors) == list(wanted)
    assert all(found.tensors[name].numpy().tolist() == value.tolist() for name, value in wanted.items())
    assert found.tensors["fc.weight"].storage is found.tensors["tied.weight"].storage
    assert "packaged_agent/policy.py" in [fact.where for fact in found.code if fact.kind == "code"]
    assert ckptkit("convert", path, "--to", "deploy", "-o", tmp_path / "out").status == 0
    assert ckptkit("validate", tmp_path / "out").status == 0


def test_a_dict_in_a_package_is_a_checkpoint(tmp_path: Path) -> None:
    value = {"model_state_dict": {"w": torch.arange(4.0)[1:]}, "epoch": 3}
    found = read(packaged(tmp_path / "p.pt", ("data", "checkpoint.pkl", value)))
    assert (found.format, found.verdict) == ("torch-checkpoint", "data-only")
    assert found.tensors["w"].numpy().tolist() == [1, 2, 3]


def test_several_objects_are_refused_by_name(tmp_path: Path) -> None:
    path = packaged(tmp_path / "p.pt", ("a", "x.pkl", {}), ("b", "y.pkl", {}))
    with pytest.raises(UnreadableCheckpointError, match=r"other than one pickled object: a/x\.pkl, b/y\.pkl"):
        read(path)


def test_a_storage_that_is_missing_or_short_is_malformed(tmp_path: Path) -> None:
    path = packaged(tmp_path / "p.pt", ("data", "x.pkl", {"w": torch.ones(4)}))
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    for change in ({}, {"p/.data/0.storage": bytes(4)}):
        with zipfile.ZipFile(tmp_path / "broken.pt", "w") as archive:
            for name, data in ({k: v for k, v in members.items() if "storage" not in k} | change).items():
                archive.writestr(zipfile.ZipInfo(name), data)
        with pytest.raises(UnreadableCheckpointError):
            read(tmp_path / "broken.pt")


def test_a_forbidden_name_is_unsafe(tmp_path: Path) -> None:
    path = packaged(tmp_path / "p.pt", ("data", "x.pkl", {"w": torch.ones(4)}))
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members["p/data/x.pkl"] = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."
    with zipfile.ZipFile(tmp_path / "bad.pt", "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    assert read(tmp_path / "bad.pt").verdict == "unsafe"
