"""`ckptkit repair`: what is mended, with which proof, what is left, and that nothing is lost."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ckptkit import repair, schema
from ckptkit.errors import TargetExistsError, UsageError
from ckptkit.model.repaired import Fault
from tests.conftest import Call
from tests.corpus import CHECKOUT

AGENT = CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip"


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    return dict(layers.state_dict())


@pytest.fixture
def saved(tmp_path: Path, weights: dict[str, torch.Tensor]) -> Path:
    path = tmp_path / "model.pt"
    torch.save(weights, path)
    return path


def cut(path: Path, change: Callable[[bytes, int], bytes]) -> bytes:
    """Change a zip from its directory on; return what it was."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        path.write_bytes(change(data, archive.start_dir))
    return data


LOST = {
    "directory": lambda data, at: data[:at],
    "most of the directory": lambda data, at: data[: at + 60],
    "all but a byte of it": lambda data, at: data[: at + 1],
    "end record": lambda data, at: data[:-22],
    "overwritten": lambda data, at: data[:at] + bytes(len(data) - at),
}


@pytest.mark.parametrize("how", LOST)
def test_a_lost_zip_directory_is_made_again(
    ckptkit: Call, saved: Path, weights: dict[str, torch.Tensor], how: str
) -> None:
    cut(saved, LOST[how])
    broken = saved.read_bytes()
    assert ckptkit("validate", saved).status == 1
    run = ckptkit("repair", saved)
    assert run.status == 1
    assert "would mend zip-directory" in run.out
    assert saved.read_bytes() == broken
    run = ckptkit("repair", saved, "--write")
    assert run.status == 0, run.out
    assert "sound at level 0" in run.out
    assert saved.with_name("model.pt.backup").read_bytes() == broken
    found = torch.load(saved, weights_only=True)
    assert list(found) == list(weights)
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    assert ckptkit("repair", saved).status == 0


LEFT = {
    "a member is cut": lambda data, at: data[: at - 30],
    "a member is damaged": lambda data, at: data[:at].replace(b"PK\x07\x08", b"PK\x07\x09", 3),
    "other bytes follow": lambda data, at: data[:at] + b"something else",
}


@pytest.mark.parametrize("how", LEFT)
def test_what_is_not_proven_is_left(ckptkit: Call, saved: Path, how: str) -> None:
    cut(saved, LEFT[how])
    broken = saved.read_bytes()
    run = ckptkit("repair", saved, "--write")
    assert run.status == 2
    assert "left zip-directory" in run.out
    assert saved.read_bytes() == broken
    assert [path.name for path in saved.parent.iterdir()] == ["model.pt"]


def test_a_flipped_bit_is_no_lost_directory(ckptkit: Call, saved: Path) -> None:
    data = bytearray(cut(saved, lambda data, at: data))
    data = data[: data.index(b"PK\x01\x02")]
    data[data.index(b"data/0") + 120] ^= 1
    saved.write_bytes(data)
    assert "left zip-directory" in ckptkit("repair", saved, "--write").out


def test_an_agent_is_mended_only_where_no_member_can_be_missing(ckptkit: Call, tmp_path: Path) -> None:
    agent = tmp_path / "agent.zip"
    shutil.copy(AGENT, agent)
    whole = cut(agent, lambda data, at: data[:at])
    run = ckptkit("repair", agent, "--write")
    assert run.status == 2
    assert "may be lost with the directory" in run.out
    agent.write_bytes(whole)
    cut(agent, lambda data, at: data[: at + 10])
    assert ckptkit("repair", agent, "--write").status == 0


@pytest.fixture
def pointed(saved: Path) -> tuple[Path, Path]:
    """Return a Git LFS pointer, and a store with its content."""
    data = saved.read_bytes()
    oid = hashlib.sha256(data).hexdigest()
    place = saved.parent / "objects" / oid[:2] / oid[2:4] / oid
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n"
    saved.write_text(pointer)
    return saved, place


def test_a_pointer_becomes_its_content(ckptkit: Call, pointed: tuple[Path, Path]) -> None:
    path, place = pointed
    store = path.parent / "objects"
    assert ckptkit("repair", path, "--write").status == 2
    assert ckptkit("repair", path, "--lfs-store", store).status == 1
    assert ckptkit("repair", path, "--lfs-store", store, "--write").status == 0
    assert path.read_bytes() == place.read_bytes()


@pytest.mark.parametrize("change", [lambda data: data[:-2], lambda data: data[:-1] + b"\0", lambda data: b""])
def test_content_that_is_not_the_pointers_is_left(
    ckptkit: Call, pointed: tuple[Path, Path], change: Callable[[bytes], bytes]
) -> None:
    path, place = pointed
    place.write_bytes(change(place.read_bytes() + b"\1"))
    pointer = path.read_bytes()
    run = ckptkit("repair", path, "--lfs-store", path.parent / "objects", "--write")
    assert run.status == 2
    assert "does not hold the content that it is named for" in run.out
    assert path.read_bytes() == pointer


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("wrapped", [False, True])
def test_names_of_compiled_modules(
    ckptkit: Call, tmp_path: Path, weights: dict[str, torch.Tensor], protocol: int, wrapped: bool
) -> None:
    path = tmp_path / "model.pt"
    compiled = {f"_orig_mod.{name}": value for name, value in weights.items()}
    torch.save({"model": compiled, "epoch": 3} if wrapped else compiled, path, pickle_protocol=protocol)
    run = ckptkit("repair", path, "--write")
    assert run.status == 0, run.out
    assert f"{len(weights)} tensor names lose `_orig_mod.`" in run.out
    found = torch.load(path, weights_only=False)
    found = found["model"] if wrapped else found
    assert list(found) == list(weights)
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_names_in_safetensors(ckptkit: Call, tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "model.safetensors"
    inner = {f"actor._orig_mod.{name}": value for name, value in weights.items()}
    safetensors.torch.save_file(inner, path, metadata={"epoch": "3"})
    assert ckptkit("repair", path, "--write").status == 0
    found = safetensors.torch.load_file(path)
    assert set(found) == {f"actor.{name}" for name in weights}
    assert all(torch.equal(found[f"actor.{name}"], weights[name]) for name in weights)
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"epoch": "3"}


def test_names_that_would_become_one_are_left(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"_orig_mod.a": torch.ones(1), "a": torch.zeros(1)}, path)
    done = repair(path, write=True)
    assert (done.mends, [left.fault for left in done.left]) == ((), [Fault.COMPILED_NAMES])


@pytest.fixture
def bundle(ckptkit: Call, saved: Path) -> Path:
    path = saved.parent / "bundle"
    assert ckptkit("convert", saved, "--to", "deploy", "-o", path).status == 0
    return path


def tamper(bundle: Path, *, digest: bool) -> bytes:
    """Write wrong entries into a manifest, with a digest that fits or without; return the right bytes."""
    place = bundle / "ckpt.json"
    right = place.read_bytes()
    manifest = json.loads(right)
    manifest["files"][0] |= {"sha256": "0" * 64, "size": 5}
    manifest["tensors"][0]["sha256"] = "1" * 64
    wrong = (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode()
    place.write_bytes(wrong)
    if digest:
        line = f"{hashlib.sha256(wrong).hexdigest()}  ckpt.json\n"
        (bundle / "ckpt.json.sha256").write_text(line)
    return right


def test_entries_that_the_recorded_digest_proves(ckptkit: Call, saved: Path, bundle: Path) -> None:
    right = tamper(bundle, digest=False)
    saved.unlink()
    run = ckptkit("repair", bundle, "--write")
    assert run.status == 0, run.out
    assert "sha256 that ckpt.json.sha256 records" in run.out
    assert (bundle / "ckpt.json").read_bytes() == right


def test_entries_that_the_source_proves(ckptkit: Call, saved: Path, bundle: Path) -> None:
    right = tamper(bundle, digest=True)
    elsewhere = saved.rename(saved.parent.parent / "kept.pt")
    assert ckptkit("repair", bundle, "--write").status == 1
    run = ckptkit("repair", bundle, "--write", "--source", elsewhere)
    assert run.status == 0, run.out
    assert "has the sha256 of the lineage" in run.out
    assert (bundle / "ckpt.json").read_bytes() == right


def test_damaged_weights_are_never_blessed(ckptkit: Call, bundle: Path) -> None:
    tamper(bundle, digest=True)
    data = bytearray((bundle / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (bundle / "model.safetensors").write_bytes(data)
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    run = ckptkit("repair", bundle, "--write")
    assert run.status == 1
    assert "left manifest-entries" in run.out
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_json_keeps_its_schema(ckptkit: Call, saved: Path) -> None:
    cut(saved, LOST["directory"])
    for arguments in ([], ["--write"], []):
        document = json.loads(ckptkit("repair", saved, "--format", "json", *arguments).out)
        assert schema.validate("repair-report-1.0", document, strict=True) == []
    assert document["mends"] == []


def test_another_backup_is_not_written_over(saved: Path) -> None:
    cut(saved, LOST["directory"])
    saved.with_name("model.pt.backup").write_text("mine")
    with pytest.raises(TargetExistsError):
        repair(saved, write=True)
    assert saved.with_name("model.pt.backup").read_text() == "mine"
    assert repair(saved, write=True, backup=False).validation.level == 0


def test_misuse(ckptkit: Call, saved: Path) -> None:
    assert ckptkit("repair", saved.with_name("absent")).status == 2
    with pytest.raises(UsageError):
        repair(saved.parent)
    link = saved.with_name("link.pt")
    link.symlink_to(saved)
    with pytest.raises(UsageError):
        repair(link)
