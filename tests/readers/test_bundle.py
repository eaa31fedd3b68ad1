"""Reading deploy bundles: whole ones come back as they were, broken ones as facts."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ckptkit import readers, validate
from ckptkit.errors import NotACheckpointError, PointerError
from ckptkit.model.bundle import BundleFacts
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.tree import to_json
from ckptkit.storage.probe import Probe
from ckptkit.writers.deploy import write
from tests.writers.made import lifted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    tensors = {"b.weight": weight, "a.weight": weight, "empty": torch.zeros(0), "void": torch.zeros(0)}
    moment = torch.ones(2)
    made = lifted(
        tensors,
        training_state={"optimizer": {"state": {0: {"m": moment, "v": moment, "w": torch.zeros(1)}}}},
        model_config={"net_arch": (64, 64), "act": ClassRef("torch.nn", "ELU")},
        training_info={"best": float("-inf")},
        spaces={"action": {"type": "Discrete", "n": 3, "start": 0}},
        preprocessing=({"type": "normalise", "clip": 10.0},),
    )
    write(made, tmp_path / "bundle", False)
    return tmp_path / "bundle"


def read(path: Path) -> Checkpoint:
    probe = Probe(path)
    return readers.find(probe).read(probe)


def facts(path: Path) -> BundleFacts:
    bundle = read(path).bundle
    assert bundle is not None
    return bundle


def test_everything_comes_back(folder: Path) -> None:
    made = read(folder)
    assert (made.format, made.format_version, made.container) == ("deploy", "2.0", "directory")
    assert list(made.tensors) == ["a.weight", "b.weight", "empty", "void"]
    assert made.tensors["a.weight"].identity == made.tensors["b.weight"].identity
    assert made.tensors["empty"].identity != made.tensors["void"].identity
    assert made.tensors["a.weight"].tobytes() == torch.arange(6, dtype=torch.float32).numpy().tobytes()
    assert made.model_config == {"net_arch": (64, 64), "act": ClassRef("torch.nn", "ELU")}
    assert made.training_info == {"best": float("-inf")}
    assert made.spaces == {"action": {"type": "Discrete", "n": 3, "start": 0}}
    assert made.preprocessing == ({"type": "normalise", "clip": 10.0},)
    state = made.training_state["optimizer"]["state"][0]  # type: ignore[index]
    assert state["m"].identity == state["v"].identity != state["w"].identity
    assert made.notes == ()


def test_digests_of_the_manifest_are_on_the_tensors(folder: Path) -> None:
    for tensor in read(folder).tensors.values():
        assert tensor.sha256 == hashlib.sha256(tensor.tobytes()).hexdigest()


def test_facts_are_complete(folder: Path) -> None:
    bundle = facts(folder)
    data = (folder / "ckpt.json").read_bytes()
    assert (bundle.manifest_bytes, bundle.manifest) == (data, json.loads(data))
    assert bundle.recorded_digest == bundle.actual_digest == hashlib.sha256(data).hexdigest()
    assert list(bundle.members) == ["model.safetensors", "training.safetensors"]
    member = bundle.members["model.safetensors"]
    assert member.problem == ""
    assert member.data_start % 64 == 0
    assert set(member.entries) == {"b.weight", "empty", "void"}
    for row in json.loads(data)["tensors"]:
        entry = bundle.members[row["file"]].entries.get(row.get("alias_of", row["name"]))
        assert entry is not None
        assert (entry.dtype, list(entry.shape), entry.offset, entry.nbytes) == (
            row["dtype"], row["shape"], row["offset"], row["nbytes"],
        )  # fmt: skip


def test_the_manifest_itself_names_its_bundle(folder: Path) -> None:
    one, two = read(folder / "ckpt.json"), read(folder)
    assert one.path == two.path == str(folder)
    assert list(one.tensors) == list(two.tensors)


def test_a_manifest_under_another_name_is_none(folder: Path) -> None:
    (folder / "ckpt.json").rename(folder / "other.json")
    (folder / "ckpt.json.sha256").unlink()
    for path in (folder, folder / "other.json"):
        with pytest.raises(NotACheckpointError):
            readers.find(Probe(path))


def spoil(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return do


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"[]",
        lambda data: b"{",
        lambda data: data[:-3],
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b'"critical"', b'"files"', 1),
        lambda data: data.replace(b"2.0", b"\xff", 1),
    ],
)
def test_a_broken_manifest_is_a_fact(folder: Path, change: Callable[[bytes], bytes]) -> None:
    spoil("ckpt.json", change)(folder)
    bundle = facts(folder)
    assert bundle.parse_problems
    assert bundle.recorded_digest != bundle.actual_digest
    assert set(read(folder).tensors) >= {"b.weight", "empty", "void"}


@pytest.mark.parametrize("at", range(0, 76, 3))
def test_every_byte_of_the_digest_file_counts(folder: Path, at: int) -> None:
    def flip(data: bytes) -> bytes:
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    spoil("ckpt.json.sha256", flip)(folder)
    bundle = facts(folder)
    assert bundle.recorded_digest not in ("", bundle.actual_digest)


def test_a_missing_digest_file_is_a_fact(folder: Path) -> None:
    (folder / "ckpt.json.sha256").unlink()
    assert facts(folder).recorded_digest == ""


def test_a_missing_weights_file_is_a_fact(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert list(facts(folder).members) == ["training.safetensors"]
    assert read(folder).tensors == {}


def test_a_broken_header_is_a_fact(folder: Path) -> None:
    spoil("model.safetensors", lambda data: data[:8] + b"[" + data[9:])(folder)
    member = facts(folder).members["model.safetensors"]
    assert member.source is not None
    assert "header" in member.problem
    assert read(folder).tensors == {}


def test_a_missing_training_tensor_is_noted(folder: Path) -> None:
    (folder / "training.safetensors").unlink()
    made = read(folder)
    assert made.training_state is None
    assert [(note.kind, note.location) for note in made.notes] == [("undecodable", "/training_state")]


def test_other_files_are_listed_and_links_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "notes.txt").write_text("x")
    (folder / ".hidden").write_text("x")
    (tmp_path / "outside").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    members = facts(folder).members
    assert set(members) >= {"more/notes.txt", ".hidden", "link", "loop", "pipe"}
    assert [members[name].source for name in ("link", "loop", "pipe")] == [None] * 3
    assert members["link"].problem == "it is a link"


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"


def test_a_pointer_in_place_of_weights_is_a_fact(folder: Path) -> None:
    spoil("model.safetensors", lambda _: POINTER)(folder)
    member = facts(folder).members["model.safetensors"]
    assert member.source is None
    assert "Git LFS" in member.problem


def test_a_pointer_in_place_of_the_manifest_is_refused(folder: Path) -> None:
    spoil("ckpt.json", lambda _: POINTER)(folder)
    for path in (folder, folder / "ckpt.json"):
        with pytest.raises(PointerError, match="Git LFS"):
            read(path)


@pytest.mark.parametrize(
    "field", ["model_config", "training_info", "spaces", "preprocessing", "tensors", "files"]
)
@pytest.mark.parametrize("value", [3, "x", [1], {"$new": 1}, {"$tuple": 1}, {"$set": [[]]}, None])
def test_odd_fields_are_left_to_the_checks(folder: Path, field: str, value: object) -> None:
    manifest = json.loads((folder / "ckpt.json").read_bytes())
    spoil("ckpt.json", lambda _: json.dumps(manifest | {field: value}).encode())(folder)
    made = read(folder)
    assert made.bundle is not None
    assert made.bundle.manifest == manifest | {field: value}
    to_json(made.model_config)


def test_a_lost_manifest_is_missed_and_the_weights_are_no_file_of_their_own(folder: Path) -> None:
    (folder / "ckpt.json").unlink()
    broken = facts(folder)
    assert broken.manifest is None
    assert broken.parse_problems == ("ckpt.json is missing",)
    (result,) = validate(folder).results
    assert {"CK201", "CK309"} <= {finding.code for finding in result.findings}
