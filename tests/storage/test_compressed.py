"""Checkpoints in compressed files: read as they are without, within bounds, and never left lying around."""

import bz2
import gzip
import hashlib
import json
import lzma
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

import ckptkit
from ckptkit.errors import (
    LimitExceededError,
    MissingExtraError,
    NotACheckpointError,
    UnreadableCheckpointError,
)
from ckptkit.storage import compressed
from ckptkit.storage.source import MemorySource
from tests.conftest import Call
from tests.corpus import CHECKOUT

PLAIN = CHECKOUT / "fixtures" / "torch" / "bare" / "model.pt"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "bz2": bz2.compress,
    "gz": gzip.compress,
    "lz4": lz4.frame.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}
each = pytest.mark.parametrize("suffix", sorted(PACK))


def packed(tmp_path: Path, suffix: str, data: bytes | None = None) -> Path:
    path = tmp_path / f"model.pt.{suffix}"
    path.write_bytes(PACK[suffix](PLAIN.read_bytes() if data is None else data))
    return path


@each
def test_a_compressed_file_reads_as_what_it_holds(tmp_path: Path, suffix: str) -> None:
    plain, found = ckptkit.read(PLAIN), ckptkit.read(packed(tmp_path, suffix))
    assert (found.format, found.container) == (plain.format, plain.container)
    assert [note.kind for note in found.notes] == ["compressed"]
    assert {name: tensor.tobytes() for name, tensor in found.tensors.items()} == {
        name: tensor.tobytes() for name, tensor in plain.tensors.items()
    }


@each
def test_the_suffix_says_nothing(tmp_path: Path, suffix: str) -> None:
    path = packed(tmp_path, suffix).rename(tmp_path / "anything")
    assert ckptkit.read(path).format == "torch-state-dict"


@each
def test_lineage_has_the_file_and_its_content_with_both_digests(
    tmp_path: Path, suffix: str, ckptkit: Call
) -> None:
    path = packed(tmp_path, suffix)
    assert ckptkit("convert", path, "--to", "deploy", "-o", tmp_path / "out").status == 0
    manifest = json.loads((tmp_path / "out" / "ckpt.json").read_text(encoding="utf-8"))
    digests = {row["path"]: (row["role"], row["sha256"]) for row in manifest["lineage"]["files"]}
    assert digests == {
        f"{path.name}/content": ("weights", hashlib.sha256(PLAIN.read_bytes()).hexdigest()),
        path.name: ("wrapper", hashlib.sha256(path.read_bytes()).hexdigest()),
    }
    assert ckptkit("validate", tmp_path / "out").status == 0


@each
def test_a_bomb_is_refused_within_bounds(tmp_path: Path, suffix: str) -> None:
    path = packed(tmp_path, suffix, PLAIN.read_bytes() + bytes(64 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LimitExceededError, match="at most 200 times"):
        ckptkit.read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


@each
def test_data_that_breaks_off_is_malformed(tmp_path: Path, suffix: str) -> None:
    path = packed(tmp_path, suffix)
    whole = path.read_bytes()
    for length in (6, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises((UnreadableCheckpointError, NotACheckpointError)):
            ckptkit.read(path)


@each
def test_a_compressed_file_of_something_else_is_no_checkpoint(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(NotACheckpointError):
        ckptkit.read(packed(tmp_path, suffix, b"a log file\n" * 100))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18" + bytes(9),
        b"\xfd7zXZ\0",
        b"BZh91AY&SY",
        bz2.compress(b""),
        lzma.compress(b""),
    ],
)
def test_magic_numbers_alone_give_no_traceback(data: bytes) -> None:
    source = MemorySource(data, "x")
    if not data:
        assert compressed.unwrap(source) is None
        return
    with pytest.raises(UnreadableCheckpointError):
        compressed.unwrap(source)


def test_members_one_behind_the_other_are_one_content(tmp_path: Path) -> None:
    whole = PLAIN.read_bytes()
    for suffix, pack in PACK.items():
        path = tmp_path / f"two.{suffix}"
        path.write_bytes(pack(whole[:700]) + pack(whole[700:]))
        assert ckptkit.read(path).format == "torch-state-dict"


def test_a_window_that_asks_for_too_much_memory_is_refused(tmp_path: Path) -> None:
    options = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    path = tmp_path / "x.zst"
    path.write_bytes(zstandard.ZstdCompressor(compression_params=options).compress(bytes(130 << 20)))
    with pytest.raises(LimitExceededError, match="too much memory, more than 67108864 bytes"):
        ckptkit.read(path)


def test_a_dictionary_that_asks_for_too_much_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.xz"
    for bytes_, taken in ((compressed.MAX_MEMORY, True), (compressed.MAX_MEMORY * 3 // 2, False)):
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": bytes_}]
        path.write_bytes(lzma.compress(PLAIN.read_bytes(), filters=filters))
        if taken:
            assert ckptkit.read(path).format == "torch-state-dict"
            continue
        with pytest.raises(LimitExceededError, match="too much memory, more than 67108864 bytes"):
            ckptkit.read(path)


@each
def test_what_is_behind_the_content_is_not_passed_over(tmp_path: Path, suffix: str) -> None:
    """A program that stops at the end of the first stream, and one that looks further, would differ."""
    path = packed(tmp_path, suffix)
    whole = path.read_bytes()
    for behind in (b"\x80\x04N.", PLAIN.read_bytes(), whole[:-1]):
        path.write_bytes(whole + behind)
        with pytest.raises(UnreadableCheckpointError, match="broken"):
            ckptkit.read(path)


@pytest.mark.parametrize(("zeros", "taken"), [(4, True), (100_000, True), (3, False), (65_537, False)])
def test_zeros_between_streams_of_xz_come_in_fours(tmp_path: Path, zeros: int, taken: bool) -> None:
    path, whole = tmp_path / "x.xz", PLAIN.read_bytes()
    for behind in (b"", lzma.compress(whole[700:])):
        path.write_bytes(lzma.compress(whole[:700] if behind else whole) + bytes(zeros) + behind)
        if taken:
            assert ckptkit.read(path).format == "torch-state-dict"
            continue
        with pytest.raises(UnreadableCheckpointError, match="zeros behind a stream"):
            ckptkit.read(path)


def test_a_corrupt_stream_is_malformed(tmp_path: Path) -> None:
    for suffix in ("bz2", "gz", "xz"):
        path = packed(tmp_path, suffix)
        made = bytearray(path.read_bytes())
        made[-5 if suffix == "bz2" else -9 if suffix == "gz" else -20] ^= 1  # in a checksum
        path.write_bytes(made)
        with pytest.raises(UnreadableCheckpointError, match="broken"):
            ckptkit.read(path)


@pytest.mark.parametrize(("suffix", "module"), [("bz2", "bz2"), ("xz", "lzma")])
def test_a_python_that_lacks_a_module_is_said(
    tmp_path: Path, suffix: str, module: str, monkeypatch: pytest.MonkeyPatch, ckptkit: Call
) -> None:
    path = packed(tmp_path, suffix)
    monkeypatch.setitem(sys.modules, module, None)
    for command in ("inspect", "scan"):
        run = ckptkit(command, path)
        assert run.status == 2
        assert f"needs Python's module {module}" in " ".join((run.out + run.err).split())


@pytest.mark.parametrize("suffix", ["lz4", "zst"])
def test_without_the_extra_the_command_that_installs_it_is_named(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ckptkit.model.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ckptkit\[compressed\]'"):
        ckptkit.read(packed(tmp_path, suffix))


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    found = ckptkit.read(packed(tmp_path, "gz"))
    assert not list(folder.iterdir())
    assert found.tensors["body.weight"].tobytes()


def test_a_temporary_folder_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(ckptkit.errors.InaccessibleError, match="set TMPDIR"):
        ckptkit.read(packed(tmp_path, "gz"))
