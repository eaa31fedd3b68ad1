"""The one pass over tensor bytes: any layout, any length, any number of pieces; and errors on the way."""

import hashlib
import io
import threading
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from ckptkit import api, checks
from ckptkit.errors import InaccessibleError, UnreadableCheckpointError, WriteError
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.source import Source
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.storage.output import Output, create
from ckptkit.storage.source import MemorySource
from ckptkit.storage.torch_file import open_torch
from ckptkit.writers import copying, deploy, torch_dict
from ckptkit.writers.copying import PIECE_BYTES, FileHash, Hashing, recorded_crc32
from ckptkit.writers.plan import Planned
from tests.writers.made import lifted, same

WRITERS = {"deploy": deploy.write, "v2": torch_dict.write}


def flat(data: bytes, source: Source | None = None) -> Tensor:
    storage = Storage(source or MemorySource(data, "storage"))
    return Tensor(BY_NAME["U8"], (len(data),), (1,), 0, storage)


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def loaded(path: Path) -> dict[str, torch.Tensor]:
    if path.is_dir():
        return load_file(path / "model.safetensors")
    return torch.load(path, weights_only=True)["model_state_dict"]


def written_files(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


SIZES = [0, 1, copying._HERE_BYTES, copying._HERE_BYTES + 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1]
SIZES += [copying._BUFFERS * PIECE_BYTES + 3]


@pytest.mark.parametrize("size", SIZES)
def test_digests_and_crc_at_the_edges_of_pieces(tmp_path: Path, size: int) -> None:
    data = pattern(size)
    with create(tmp_path / "x") as output, FileHash(output) as whole:

        def put(piece: bytes | memoryview) -> None:
            output.write(piece)
            whole.settle(output.size)

        with Hashing() as hashing:
            made = [copying.copy(Planned("a", "model", flat(data)), put, hashing, crc=True) for _ in "ab"]
        assert {one.sha256 for one in made} == {hashlib.sha256(data).hexdigest()}
        assert {one.crc32 for one in made} == {zlib.crc32(data)}
        assert whole.sha256() == hashlib.sha256(data + data).hexdigest()
    assert (tmp_path / "x").read_bytes() == data + data


@pytest.mark.parametrize("kind", WRITERS)
def test_lengths_around_a_piece_in_both_encodings(tmp_path: Path, kind: str) -> None:
    raw = {f"of_{size}": bytearray(pattern(size)) for size in SIZES[1:]}
    tensors = {name: torch.frombuffer(data, dtype=torch.uint8) for name, data in raw.items()}
    torch.save(tensors, tmp_path / "x.pt")
    made = api.convert(tmp_path / "x.pt", kind, tmp_path / "out")
    read = loaded(tmp_path / "out")
    assert all(torch.equal(value, read[name]) for name, value in tensors.items())
    told = {Path(name).name: sha for name, _, sha in made.written.files}
    assert written_files(tmp_path / "out").items() <= told.items() | {("out", "")}
    assert api.validate(tmp_path / "out").results[0].findings == ()


@st.composite
def views(draw: st.DrawFn) -> list[torch.Tensor]:
    """Return tensors of any layout over one or two storages, of any element type."""
    dtype = draw(st.sampled_from([torch.uint8, torch.float16, torch.float32, torch.float64, torch.complex64]))
    bases = [
        torch.arange(draw(st.integers(1, 200))).to(dtype) + 7 * i for i in range(draw(st.integers(1, 2)))
    ]
    made = []
    for base in draw(st.lists(st.sampled_from(bases), min_size=1, max_size=5)):
        shape = draw(st.lists(st.integers(0, 5), max_size=4))
        strides = [draw(st.integers(0, 7)) for _ in shape]
        reach = sum((size - 1) * step for size, step in zip(shape, strides, strict=True) if size > 1)
        if reach >= len(base) or 0 in shape:
            shape, strides, reach = [], [], 0
        made.append(torch.as_strided(base, shape, strides, draw(st.integers(0, len(base) - 1 - reach))))
    return made


@settings(max_examples=12)
@given(st.data())
def test_any_layout_of_half_shared_storages(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """torch.load and safetensors see in the outputs what torch had."""
    folder = tmp_path_factory.mktemp("layout")
    tensors = {f"t{i}": view for i, view in enumerate(data.draw(views()))}
    legacy = data.draw(st.booleans())
    torch.save(tensors, folder / "x.pt", _use_new_zipfile_serialization=not legacy)
    if not legacy and data.draw(st.booleans()):
        repack(folder / "x.pt")
    for kind, write in WRITERS.items():
        write(api.read(folder / "x.pt"), folder / kind, False)
        read, made = loaded(folder / kind), api.read(folder / kind)
        assert made.bundle is not None
        rows = made.bundle.manifest["tensors"] if made.bundle.manifest else []
        owners = {row["name"]: row.get("alias_of", row["name"]) for row in rows}
        for name, value in tensors.items():
            assert same(value, read[owners[name] if kind == "deploy" else name])
        assert checks.run(made, 2) == ()


def repack(path: Path) -> None:
    """Deflate each member; torch reads that no more, and readers here do."""
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    path.write_bytes(packed.getvalue())


@given(st.integers(0, 70), st.integers(1, 9), st.sampled_from(["F32", "U8", "C64"]), st.booleans())
def test_pieces_in_buffers_are_those_without(count: int, words: int, dtype: str, swapped: bool) -> None:
    kind = BY_NAME[dtype]
    storage = Storage(MemorySource(pattern((2 * count + 1) * kind.itemsize), "s"), big_endian=swapped)
    for strides, offset in (((1,), 0), ((1,), 1), ((2,), 0), ((0,), 0)):
        tensor = Tensor(kind, (count,), strides, offset, storage)
        pieces = tensor.pieces_in(lambda: memoryview(bytearray(words * 16)))
        assert b"".join(map(bytes, pieces)) == tensor.tobytes()


def test_a_crc_that_the_source_states_is_written_at_once_and_proved(tmp_path: Path) -> None:
    tensors = {"whole": torch.arange(3 * PIECE_BYTES // 4, dtype=torch.float32)}
    tensors["part"] = tensors["whole"][10:]
    torch.save(tensors, tmp_path / "x.pt")
    api.convert(tmp_path / "x.pt", "v2", tmp_path / "v2.pt")
    with zipfile.ZipFile(tmp_path / "v2.pt") as archive:
        assert archive.testzip() is None
    path = tmp_path / "x.pt"
    raw = bytearray(path.read_bytes())
    raw[raw.index(tensors["whole"][1000:1010].numpy().tobytes())] ^= 1
    path.write_bytes(raw)
    for kind in WRITERS:
        with pytest.raises(UnreadableCheckpointError, match="CRC"):
            api.convert(path, kind, tmp_path / "never")
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["v2.pt", "x.pt"]


def test_only_a_whole_member_lends_its_crc(tmp_path: Path) -> None:
    base = torch.arange(8, dtype=torch.float32)
    torch.save({"whole": base, "part": base[2:], "turned": base.reshape(2, 4).t()}, tmp_path / "x.pt")
    tensors = api.read(tmp_path / "x.pt").tensors
    known = {name: recorded_crc32(tensor) for name, tensor in tensors.items()}
    assert known == {"whole": zlib.crc32(base.numpy().tobytes()), "part": None, "turned": None}


class Failing(MemorySource):
    """Bytes of which the last piece cannot be read."""

    def __init__(self, size: int, error: BaseException) -> None:
        super().__init__(bytes(size), "failing")
        self._error = error

    def read(self, offset: int, length: int) -> bytes:
        if offset + length == self.size:
            raise self._error
        return super().read(offset, length)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("error", [InaccessibleError("I/O error"), KeyboardInterrupt(), MemoryError()])
def test_a_read_that_fails_late_leaves_nothing(tmp_path: Path, kind: str, error: BaseException) -> None:
    before = threading.active_count()
    size = 20 * PIECE_BYTES
    made = lifted({"a": torch.zeros(3)})
    broken = flat(bytes(size), Failing(size, error))
    with pytest.raises(type(error)):
        WRITERS[kind](replace(made, tensors={**made.tensors, "b": broken}), tmp_path / "out", False)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_that_cannot_be_read_back_is_not_put_in_place(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Output, offset: int, buffer: memoryview) -> int:
        raise OSError(5, "Input/output error")

    made = lifted({"a": torch.zeros(3)})
    made = replace(made, tensors={**made.tensors, "b": flat(bytes(12 * PIECE_BYTES))})
    monkeypatch.setattr(Output, "readinto", broken)
    before = threading.active_count()
    with pytest.raises(WriteError):
        WRITERS[kind](made, tmp_path / "out", False)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 200_000), st.booleans()), max_size=12))
def test_an_output_holds_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("output") / "x"
    expected = bytearray()
    with create(path) as output:
        for size, patched in parts:
            output.write(memoryview(pattern(size)))
            expected += pattern(size)
            assert output.size == len(expected)
            if patched and len(expected) > 10:
                output.patch(len(expected) // 2, b"patch")
                at = len(expected) // 2
                expected[at : at + 5] = b"patch"
        assert output.read(0, len(expected) + 5) == expected
    assert path.read_bytes() == expected


def test_the_order_of_the_torch_file_does_not_matter(tmp_path: Path) -> None:
    """Storages in another order than names: every byte still goes where it belongs."""
    tensors = {f"z{9 - i}": torch.full((70_000,), float(i)) for i in range(10)}
    torch.save(tensors, tmp_path / "x.pt")
    assert len(open_torch(api.read(tmp_path / "x.pt").files[0].source).storages) == 10
    api.convert(tmp_path / "x.pt", "deploy", tmp_path / "out")
    read = loaded(tmp_path / "out")
    assert all(torch.equal(value, read[name]) for name, value in tensors.items())
