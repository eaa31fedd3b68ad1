"""Which bytes `--verify` compares: what each way finds, what it claims, and what it says it left out."""

import json
import os
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ckptkit import api, checks
from ckptkit.checks import hashing
from ckptkit.checks.hashing import run_of, sha256_of_all, source_sha256
from ckptkit.errors import InaccessibleError, UnreadableCheckpointError
from ckptkit.model.manifest import digest_line
from ckptkit.model.results import Validation
from ckptkit.model.settings import How, Settings
from ckptkit.model.verify import Verify
from ckptkit.storage.source import MemorySource
from ckptkit.writers.deploy import write
from ckptkit.writers.torch_dict import write as write_dict
from tests.checks.building import deploy
from tests.writers.made import lifted

TENSORS = {f"layer.{i}": torch.arange(40, dtype=torch.float32).reshape(5, 8) + i for i in range(4)}

FILES = "model.safetensors, training.safetensors"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    made = lifted({**TENSORS, "tied": TENSORS["layer.0"]}, training_state={"moment": torch.ones(3)})
    write(made, tmp_path / "out", False)
    return tmp_path / "out"


def checked(path: Path, verify: Verify, level: int | None = None) -> Validation:
    return api.validate(path, settings=Settings(verify=verify, level=level)).results[0]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def edit(bundle: Path, **fields: object) -> None:
    """Change the manifest, and its digest with it."""
    text = json.dumps(json.loads((bundle / "ckpt.json").read_bytes()) | fields).encode()
    (bundle / "ckpt.json").write_bytes(text)
    (bundle / "ckpt.json.sha256").write_bytes(digest_line(text))


@pytest.mark.parametrize(
    ("verify", "level", "omitted"),
    [
        (Verify.ALL, 2, ""),
        (Verify.TENSORS, 2, f"the sha256 of {FILES}"),
        (Verify.FILES, 2, "the sha256 of its tensors"),
        (
            Verify.HEADER,
            1,
            "the sha256 of its tensors and the sha256 of model.safetensors, training.safetensors",
        ),
    ],
)
def test_a_sound_bundle_reaches_what_was_looked_at(
    bundle: Path, verify: Verify, level: int, omitted: str
) -> None:
    result = checked(bundle, verify)
    assert (result.level, result.findings, result.not_compared) == (level, (), omitted)


def test_every_flipped_byte_is_found_by_each_way_that_claims_level_2(bundle: Path) -> None:
    size = (bundle / "model.safetensors").stat().st_size
    places = [*range(0, size, 41), size - 1]
    assert len(places) > 20
    for at in places:
        flip(bundle / "model.safetensors", at)
        for verify in (Verify.ALL, Verify.TENSORS, Verify.FILES):
            assert checked(bundle, verify).level < 2, (at, verify)
        flip(bundle / "model.safetensors", at)


def test_a_wrong_digest_of_a_file_is_not_seen_by_tensors_alone(bundle: Path) -> None:
    files = json.loads((bundle / "ckpt.json").read_bytes())["files"]
    files[0]["sha256"] = "0" * 64
    edit(bundle, files=files)
    codes = {verify: {f.code for f in checked(bundle, verify).findings} for verify in Verify}
    assert codes[Verify.ALL] == codes[Verify.FILES] == {"CK302"}
    assert codes[Verify.TENSORS] == codes[Verify.HEADER] == set()


def test_a_file_with_a_header_of_another_form_is_hashed_whole(bundle: Path) -> None:
    """Another writer's bundle: its header says the same in other bytes."""
    path = bundle / "model.safetensors"
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    header = raw[8 : 8 + length].replace(b'"__metadata__":{"format":"pt"}', b'"__metadata__":{"format":"tp"}')
    path.write_bytes(raw[:8] + header + raw[8 + length :])
    result = checked(bundle, Verify.TENSORS)
    assert [finding.code for finding in result.findings] == ["CK302"]
    assert result.not_compared == "the sha256 of training.safetensors"


def test_header_finds_what_needs_no_tensor_bytes(bundle: Path) -> None:
    path = bundle / "model.safetensors"
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"layer.3", b"layer.4", 1))
    assert "CK310" in {finding.code for finding in checked(bundle, Verify.HEADER).findings}
    path.write_bytes(raw)
    asked = checked(bundle, Verify.HEADER, level=2)
    assert [finding.code for finding in asked.findings] == ["CK108"]


def test_header_reads_no_tensor_bytes_however_many_there_are(tmp_path: Path) -> None:
    read: list[int] = []

    class Counting(MemorySource):
        def read(self, offset: int, length: int) -> bytes:
            read.append(length)
            return super().read(offset, length)

    made = deploy()
    assert made.bundle is not None
    members = {
        path: replace(facts, source=Counting(facts.source.read(0, facts.source.size), path))
        for path, facts in made.bundle.members.items()
        if facts.source is not None
    }
    made = replace(made, bundle=replace(made.bundle, members=members))
    assert checks.run(made, 3, verify=Verify.HEADER) == ()
    assert sum(read) <= 16 * len(members)


def test_a_torch_dict_has_tensors_alone(tmp_path: Path) -> None:
    write_dict(lifted(TENSORS), tmp_path / "x.pt", False)
    for verify in (Verify.ALL, Verify.TENSORS, Verify.FILES):
        result = checked(tmp_path / "x.pt", verify)
        assert (result.level, result.findings, result.not_compared) == (2, (), "")
    assert checked(tmp_path / "x.pt", Verify.HEADER).level == 1
    data = (tmp_path / "x.pt").read_bytes()
    flip(tmp_path / "x.pt", data.index(TENSORS["layer.2"].numpy().tobytes()) + 5)
    for verify in (Verify.ALL, Verify.TENSORS, Verify.FILES):
        assert [finding.location for finding in checked(tmp_path / "x.pt", verify).findings] == ["layer.2"]


def test_legacy_members_are_not_compared_where_no_bytes_are(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "x.pt")
    assert checked(tmp_path / "x.pt", Verify.HEADER).not_compared == "the checksums of its members"
    assert checked(tmp_path / "x.pt", Verify.ALL).not_compared == ""
    data = (tmp_path / "x.pt").read_bytes()
    flip(tmp_path / "x.pt", data.index(TENSORS["layer.2"].numpy().tobytes()) + 5)
    assert "CK313" in {finding.code for finding in checked(tmp_path / "x.pt", Verify.ALL).findings}
    assert "CK313" not in {finding.code for finding in checked(tmp_path / "x.pt", Verify.HEADER).findings}


def test_ways_of_checking_are_told_apart_by_the_cache() -> None:
    assert How(verify=Verify.HEADER) != How()
    assert Settings(verify=Verify.FILES).how.verify is Verify.FILES


@pytest.mark.parametrize("processors", [1, 2, 7])
def test_many_threads_give_the_digests_of_one(processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "processors", lambda: processors)
    monkeypatch.setattr(hashing, "_ALONE_BYTES", 0)
    piece = hashing._PIECE_BYTES
    sources = [
        MemorySource(os.urandom(size), str(size))
        for size in (0, 1, piece - 1, piece, piece + 1, 2 * piece + 7)
    ]
    runs = {source.name: run_of(source, 0, source.size) for source in sources * 3}
    found = sha256_of_all(runs)
    assert {name: one.sha256 for name, one in found.items()} == {
        source.name: source_sha256(source) for source in sources
    }


class Failing(MemorySource):
    """Bytes of which the second half cannot be read."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(bytes(1 << 20), "failing")
        self._error = error

    def read(self, offset: int, length: int) -> bytes:
        if offset >= self.size // 2:
            raise self._error
        return super().read(offset, length)


def test_what_cannot_be_read_keeps_nothing_else_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_ALONE_BYTES", 0)
    good, bad = MemorySource(bytes(3 << 20), "good"), Failing(UnreadableCheckpointError("gone"))
    found = sha256_of_all({"bad": run_of(bad, 0, bad.size), "good": run_of(good, 0, good.size)})
    assert (found["bad"].sha256, found["bad"].problem) == ("", "gone")
    assert found["good"].sha256 == source_sha256(good)


@pytest.mark.parametrize("error", [InaccessibleError("I/O error"), OSError(5, "I/O error")])
def test_other_errors_of_any_thread_reach_the_caller(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_ALONE_BYTES", 0)
    monkeypatch.setattr(hashing, "processors", lambda: 4)
    before = threading.active_count()
    good, bad = MemorySource(bytes(1 << 20), "good"), Failing(error)
    runs = {name: run_of(good, 0, good.size) for name in "abcdef"} | {"z": run_of(bad, 0, bad.size)}
    with pytest.raises(type(error)):
        sha256_of_all(runs)
    assert threading.active_count() == before
