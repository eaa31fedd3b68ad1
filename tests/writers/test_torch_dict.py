"""V2 torch dicts: what torch makes of them, that they repeat, and what is refused."""

import hashlib
import json
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ckptkit.errors import IntegrityError, TargetExistsError
from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.storage.canonical_zip import deviations
from ckptkit.storage.output import create
from ckptkit.storage.source import FileSource, MemorySource
from ckptkit.storage.zip import ZipArchive
from ckptkit.writers import find
from ckptkit.writers.deploy import write as write_deploy
from ckptkit.writers.torch_dict import write
from ckptkit.writers.zip_out import ZipOut
from tests.writers.made import lifted, same

DTYPES = [
    torch.bool, torch.uint8, torch.int8, torch.float8_e5m2, torch.float8_e4m3fn, torch.float8_e5m2fnuz,
    torch.float8_e4m3fnuz, torch.float8_e8m0fnu, torch.int16, torch.uint16, torch.float16, torch.bfloat16,
    torch.int32, torch.uint32, torch.float32, torch.complex64, torch.float64, torch.int64, torch.uint64,
]  # fmt: skip


def tied() -> dict[str, torch.Tensor]:
    weight = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return {
        "head.weight": weight,
        "body.bias": torch.tensor([1, 2], dtype=torch.bfloat16),
        "embed.weight": weight,
        "steps": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "turned": weight.t(),
        "größe 大": torch.ones(1),
    }


@pytest.mark.parametrize("mmap", [True, False])
def test_torch_reads_the_very_state_dict(tmp_path: Path, mmap: bool) -> None:
    write(lifted(tied()), tmp_path / "x.pt", False)
    read = torch.load(tmp_path / "x.pt", weights_only=True, mmap=mmap)
    state = read["model_state_dict"]
    assert set(state) == set(tied())
    assert all(same(value, state[name]) for name, value in tied().items())
    places = {name: value.untyped_storage().data_ptr() for name, value in state.items()}
    assert places["head.weight"] == places["embed.weight"] != places["turned"]
    assert not any(value.requires_grad for value in state.values())
    assert read["version"] == "2.0"
    assert list(read) == ["version", "model_state_dict", "model_config", "training_info", "ckpt"]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_torch_reads_every_type(tmp_path: Path, dtype: torch.dtype) -> None:
    value = torch.randint(0, 2, (16,), dtype=torch.uint8).view(torch.bool)
    if dtype is not torch.bool:
        value = torch.arange(16, dtype=torch.uint8).view(dtype)
    write(lifted({"x": value, "none": value[:0]}), tmp_path / "x.pt", False)
    for mmap in (True, False):
        state = torch.load(tmp_path / "x.pt", weights_only=True, mmap=mmap)["model_state_dict"]
        assert same(state["x"], value)
        assert same(state["none"], value[:0])


def test_an_optimizer_goes_on_from_its_state(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = {"optimizer_state_dict": optimizer.state_dict(), "rng": NdArray("<u4", (1,), bytes(4))}
    write(lifted(model.state_dict(), training_state=state), tmp_path / "x.pt", False)
    read = torch.load(tmp_path / "x.pt", weights_only=True)

    other = torch.nn.Linear(3, 2)
    other.load_state_dict(read["model_state_dict"], strict=True)
    resumed = torch.optim.Adam(other.parameters())
    resumed.load_state_dict(read["training_state"]["optimizer_state_dict"])
    for one, two in ((model, optimizer), (other, resumed)):
        two.zero_grad()
        one(torch.ones(1, 3)).sum().backward()
        two.step()
    assert all(same(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_trees_stand_in_the_dict_as_plain_python(tmp_path: Path) -> None:
    config = {"shape": (4, 84), "bound": float("-inf"), "act": ClassRef("torch.nn", "ELU"), "$odd": {1}}
    made = lifted(tied(), model_config=config, training_info={"steps": 2**60, 3: None})
    write(made, tmp_path / "x.pt", False)
    read = torch.load(tmp_path / "x.pt", weights_only=True)
    assert read["model_config"] == {
        "$dict": [
            ["shape", (4, 84)],
            ["bound", float("-inf")],
            ["act", {"$class": "torch.nn:ELU"}],
            ["$odd", {"$set": [1]}],
        ]
    }
    assert read["training_info"] == {"steps": 2**60, 3: None}


def test_it_carries_the_manifest_of_the_directory(tmp_path: Path) -> None:
    made = lifted(tied(), training_state={"a": torch.ones(2)})
    one, two = write(made, tmp_path / "x.pt", False), write_deploy(made, tmp_path / "d", False)
    manifest = torch.load(tmp_path / "x.pt", weights_only=True)["ckpt"]
    other = json.loads((tmp_path / "d" / "ckpt.json").read_bytes())
    assert (manifest.pop("files"), len(other.pop("files"))) == ([], 2)
    for entry in other["tensors"]:
        del entry["file"], entry["offset"]
    assert manifest == other
    assert list(manifest) == list(other)
    assert one.content_digest == two.content_digest == manifest["content_digest"]


def test_same_input_same_bytes_wherever_it_goes(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    done = [write(lifted(tied()), tmp_path / name, False) for name in ("x.pt", "deeper/y.pt")]
    data = (tmp_path / "x.pt").read_bytes()
    assert data == (tmp_path / "deeper" / "y.pt").read_bytes()
    assert done[0].files == (("x.pt", len(data), hashlib.sha256(data).hexdigest()),)
    assert str(tmp_path).encode() not in data


def test_the_archive_is_aligned_and_sound(tmp_path: Path) -> None:
    write(lifted(tied()), tmp_path / "x.pt", False)
    archive = ZipArchive.open(FileSource(tmp_path / "x.pt"))
    assert deviations(archive) == ()
    assert all(member.offset % 64 == 0 for member in archive.members.values())
    with zipfile.ZipFile(tmp_path / "x.pt") as oracle:
        assert oracle.testzip() is None
        assert oracle.namelist() == list(archive.members)
        pickle = oracle.read("archive/data.pkl")
        assert oracle.read("archive/ckpt.sha256").decode() == hashlib.sha256(pickle).hexdigest() + "\n"


def test_large_members_use_zip64(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with create(path) as output:
        archive = ZipOut(output, wide_from=100)
        for name, size in (("archive/data/0", 64), ("archive/data/1", 100), ("archive/data/2", 5000)):
            number = archive.begin(name, size)
            output.write(bytes(size))
            archive.patch(number, zlib.crc32(bytes(size)))
        archive.end()
    with zipfile.ZipFile(path) as oracle:
        assert oracle.testzip() is None
        assert [info.file_size for info in oracle.infolist()] == [64, 100, 5000]
    read = ZipArchive.open(FileSource(path))
    assert all(member.offset % 64 == 0 for member in read.members.values())
    assert b"PK\x06\x06" in path.read_bytes()


def test_torch_opens_an_archive_with_zip64_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wide(ZipOut):
        def __init__(self, output: object) -> None:
            super().__init__(output, wide_from=8)  # type: ignore[arg-type]

    monkeypatch.setattr("ckptkit.writers.torch_dict.ZipOut", Wide)
    write(lifted(tied()), tmp_path / "x.pt", False)
    for mmap in (True, False):
        state = torch.load(tmp_path / "x.pt", weights_only=True, mmap=mmap)["model_state_dict"]
        assert all(same(value, state[name]) for name, value in tied().items())
    archive = ZipArchive.open(FileSource(tmp_path / "x.pt"))
    assert deviations(archive, wide_from=8) == ()
    assert deviations(archive)


@pytest.mark.slow
def test_a_sparse_storage_over_four_gigabytes(tmp_path: Path) -> None:
    size = (4 << 30) + 8
    path = tmp_path / "x.zip"
    with create(path) as output:
        archive = ZipOut(output)
        archive.begin("archive/data/0", size)
        output.flush()
        output.size = output.flushed = output.size + size
        output._raw.truncate(output.size)
        output._raw.seek(output.size)
        archive.add("archive/version", b"3\n")
        archive.end()
    read = ZipArchive.open(FileSource(path))
    assert [member.size for member in read.members.values()] == [size, 2]
    assert read.read("archive/version", 10) == b"3\n"
    with zipfile.ZipFile(path) as oracle:
        assert [info.file_size for info in oracle.infolist()] == [size, 2]
        assert oracle.read("archive/version") == b"3\n"
    path.unlink()


def test_force_and_errors_leave_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"old")
    with pytest.raises(TargetExistsError):
        write(lifted(tied()), tmp_path / "x.pt", False)
    made = lifted(tied())
    bad = replace(made, tensors={**made.tensors, "steps": replace(made.tensors["steps"], sha256="0" * 64)})
    with pytest.raises(IntegrityError, match="steps"):
        write(bad, tmp_path / "x.pt", True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt"]
    assert (tmp_path / "x.pt").read_bytes() == b"old"
    write(made, tmp_path / "x.pt", True)
    assert zipfile.is_zipfile(tmp_path / "x.pt")


def test_no_byte_outside_of_contents_goes_unnoticed(tmp_path: Path) -> None:
    write(lifted({"a": torch.ones(3)}), tmp_path / "x.pt", False)
    data = (tmp_path / "x.pt").read_bytes()
    archive = ZipArchive.open(FileSource(tmp_path / "x.pt"))
    covered = set()
    for name in ("archive/data/0", "archive/data.pkl"):
        member = archive.members[name]
        covered |= set(range(member.offset, member.offset + member.size))
    digits = archive.members["archive/ckpt.sha256"].offset
    checked = 0
    for at in set(range(len(data))) - covered:
        changed = bytearray(data)
        changed[at] ^= 1
        if digits <= at < digits + 64 and chr(changed[at]) in "0123456789abcdef":
            continue  # another digest: compared with the pickle's own
        assert noticed(bytes(changed)), at
        checked += 1
    assert checked > 700
    for end in range(0, len(data), 7):
        assert noticed(data[:end])


def noticed(data: bytes) -> bool:
    from ckptkit.errors import UnreadableCheckpointError

    try:
        return bool(deviations(ZipArchive.open(MemorySource(data, "x.pt"))))
    except UnreadableCheckpointError:
        return True


def test_other_archives_deviate(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "x.pt")
    (message,) = deviations(ZipArchive.open(FileSource(tmp_path / "x.pt")))
    assert "canonical order" in message


def test_integers_of_every_length(tmp_path: Path) -> None:
    numbers = [sign * (1 << bits) + by for bits in range(0, 70, 7) for sign in (1, -1) for by in (-1, 0, 1)]
    numbers += [2**2039 - 1, 1 - 2**2039, 255, 256, 65535, 65536]
    write(lifted({}, training_info={"n": numbers}), tmp_path / "x.pt", False)
    assert torch.load(tmp_path / "x.pt", weights_only=True)["training_info"]["n"] == numbers


def test_it_is_found_by_its_id() -> None:
    assert find("v2").write is write
