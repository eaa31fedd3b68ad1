"""Torch's two containers; torch itself is the oracle."""

import io
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.errors import CkptkitError, LimitExceededError, UnknownVersionError, UnreadableCheckpointError
from ckptkit.model.dtype import DTYPES
from ckptkit.model.finding import Verdict
from ckptkit.model.tensor import Tensor
from ckptkit.storage.source import FileSource, MemorySource
from ckptkit.storage.torch_file import from_zip, is_legacy, is_torch_zip, open_torch
from ckptkit.storage.zip import ZipArchive, is_zip
from tests.corpus import corpus_files
from tests.storage.counting import Counting
from tests.storage.zips import M, zip_bytes

BOTH = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def saved(value, zipped=True, **options) -> bytes:
    target = io.BytesIO()
    torch.save(value, target, _use_new_zipfile_serialization=zipped, **options)
    return target.getvalue()


def opened_torch(data):
    return open_torch(MemorySource(data, "x.pt"))


def raw(tensor) -> bytes:
    """The logical bytes, as torch sees them."""
    flat = tensor.detach().reshape(-1).clone(memory_format=torch.contiguous_format).reshape(-1)
    if flat.numel() == 1:
        flat = flat.as_strided((1,), (1,))
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def same(found, expected):
    assert isinstance(found, Tensor)
    assert found.dtype.torch == str(expected.dtype).removeprefix("torch.")
    assert found.shape == tuple(expected.shape)
    assert found.tobytes() == raw(expected)


def tensors():
    base = torch.randn(6, 8)
    yield "plain", base
    yield "slice", base[1:5:2, 2:7:3]
    yield "offset", base.view(-1)[7:9]
    yield "transposed", base.t()
    yield "expanded", torch.randn(3, 1).expand(3, 5)
    yield "scalar", torch.tensor(1.5)
    yield "scalar of a storage", base[2, 3]
    yield "empty", torch.zeros(0, 3)
    yield "empty of a storage", base[6:]
    yield "parameter", torch.nn.Parameter(torch.randn(2))
    yield "frozen parameter", torch.nn.Parameter(torch.randn(2), requires_grad=False)
    yield "channels last", torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    for dtype in DTYPES:
        kind = getattr(torch, dtype.torch)
        values = torch.arange(4 * dtype.itemsize, dtype=torch.uint8) % (2 if dtype.name == "BOOL" else 251)
        yield dtype.name, values.view(kind)


@BOTH
@pytest.mark.parametrize(("name", "tensor"), list(tensors()), ids=[name for name, _ in tensors()])
def test_a_tensor_is_read_as_torch_reads_it(zipped, name, tensor):
    file = opened_torch(saved(OrderedDict(w=tensor), zipped))
    assert file.container == ("torch-zip" if zipped else "torch-legacy")
    assert file.verdict is Verdict.DATA_ONLY
    same(file.root["w"], tensor)


shapes = st.lists(st.integers(0, 4), max_size=4)


@settings(max_examples=150, deadline=None)
@given(shape=shapes, kind=st.sampled_from(DTYPES), more=st.data(), zipped=st.booleans())
def test_any_view_is_read_as_torch_reads_it(shape, kind, more, zipped):
    count = 500 * kind.itemsize
    values = torch.arange(count, dtype=torch.int64).to(torch.uint8) % (2 if kind.name == "BOOL" else 251)
    storage = values.view(getattr(torch, kind.torch))
    strides = [more.draw(st.integers(0, 9)) for _ in shape]
    reach = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True) if size)
    offset = more.draw(st.integers(0, 499 - reach))
    view = storage.as_strided(shape, strides, offset)
    file = opened_torch(saved({"v": view, "again": view, "all": storage}, zipped))
    same(file.root["v"], view)
    assert file.root["again"].identity == file.root["v"].identity
    assert file.root["all"].storage is file.root["v"].storage
    assert len(file.storages) == 1


@BOTH
def test_tied_tensors_share_a_storage(zipped):
    weight = torch.nn.Parameter(torch.randn(4, 4))
    file = opened_torch(saved({"a": weight, "b": weight, "row": weight[1], "c": weight.clone()}, zipped))
    a, b, row, c = (file.root[name] for name in ("a", "b", "row", "c"))
    assert a.identity == b.identity
    assert row.storage is a.storage
    assert c.storage is not a.storage
    assert set(file.storages) == {a.storage, c.storage}


@BOTH
def test_whole_tree(zipped):
    net = torch.nn.Linear(3, 2)
    adam = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    adam.step()
    file = opened_torch(
        saved({"model": net.state_dict(), "optimizer": adam.state_dict(), "epoch": 3}, zipped)
    )
    assert file.root["epoch"] == 3
    same(file.root["model"]["weight"], net.weight)
    same(file.root["optimizer"]["state"][0]["exp_avg"], adam.state_dict()["state"][0]["exp_avg"])
    assert len(file.storages) == 8


@BOTH
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol(zipped, protocol):
    data = saved({"w": torch.arange(5)}, zipped, pickle_protocol=protocol)
    assert is_legacy(data[:512]) is not zipped
    assert is_zip(data[:512]) is zipped
    same(opened_torch(data).root["w"], torch.arange(5))


@BOTH
def test_untyped_and_typed_storages(zipped):
    file = opened_torch(saved({"u": torch.arange(3, dtype=torch.uint8).untyped_storage(), "n": 1}, zipped))
    assert [s.source.read(0, s.source.size) for s in file.storages] == [b"\0\1\2"]


@BOTH
def test_code_and_forbidden_names_are_verdicts(zipped):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bad = opened_torch(saved({"w": torch.ones(1), "f": eval}, zipped))
    assert bad.verdict is Verdict.UNSAFE
    assert any(use.name == "eval" and not use.allowed for use in bad.globals)


def test_where_names_the_member():
    data = saved({"f": eval})
    uses = open_torch(MemorySource(data, "a.zip:policy.pth"), where="policy.pth").globals
    assert {use.where for use in uses} == {"policy.pth"}


def test_zip_facts(tmp_path):
    path = tmp_path / "net.v1.pt"
    torch.save({"w": torch.ones(3)}, path)
    file = open_torch(FileSource(path))
    assert file.facts == {
        "root_folder": "net.v1",
        "version": "3",
        "format_version": "1",
        "byteorder": "little",
        "storage_alignment": "64",
        "unreferenced": (),
        "unknown": (),
        "oversized": (),
        "aligned": file.facts["aligned"],
    }
    assert file.facts["aligned"] % 64 == 0


def pieces(value=None, **changes) -> dict[str, bytes]:
    """Members of a torch zip by name without the folder; None in `changes` leaves one out."""
    with zipfile.ZipFile(io.BytesIO(saved({"w": torch.arange(3.0)} if value is None else value))) as archive:
        found = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    found |= {key.replace("__", "/").replace("dot_", "."): data for key, data in changes.items()}
    return {name: data for name, data in found.items() if data is not None}


def packed(parts, folder="archive", method=0, extra=()) -> bytes:
    return zip_bytes(*(M(f"{folder}/{name}", data, method) for name, data in parts.items()), *extra)


def torch_reads(data):
    return torch.load(io.BytesIO(data), weights_only=True)


@pytest.mark.parametrize("folder", ["archive", "x", "a b", "été", "model.tar"])
def test_any_root_folder(folder):
    data = packed(pieces(), folder)
    same(opened_torch(data).root["w"], torch_reads(data)["w"])


def test_deflated_members():
    data = packed(pieces(), method=8)
    same(opened_torch(data).root["w"], torch.arange(3.0))


@pytest.mark.parametrize(
    "missing", ["dot_format_version", "dot_storage_alignment", "byteorder", "dot_data__serialization_id"]
)
def test_what_may_be_missing(missing):
    data = packed(pieces(**{missing: None}))
    same(opened_torch(data).root["w"], torch_reads(data)["w"])


@pytest.mark.parametrize("kind", [t for t in DTYPES if t.itemsize > 1], ids=str)
def test_big_endian(kind):
    size = kind.itemsize
    values = torch.arange(6 * size, dtype=torch.uint8).view(getattr(torch, kind.torch))
    word = kind.word
    swapped = b"".join(raw(values)[i : i + word][::-1] for i in range(0, 6 * size, word))
    parts = pieces({"w": values, "row": values[2:4], "step": values[::2]}, byteorder=b"big", data__0=swapped)
    file = opened_torch(packed(parts))
    assert file.facts["byteorder"] == "big"
    for name, expected in (("w", values), ("row", values[2:4]), ("step", values[::2])):
        same(file.root[name], expected)
    if kind.torch.startswith("uint"):
        return  # torch swaps uint16 and others bytewise, as untyped storages: it does not read them back
    same(file.root["w"], torch_reads(packed(parts))["w"])


BROKEN = {
    "no version": (packed(pieces(version=None)), UnreadableCheckpointError, "no member 'version'"),
    "version 0": (packed(pieces(version=b"0\n")), UnknownVersionError, "unknown version '0'"),
    "version 11": (packed(pieces(version=b"11\n")), UnknownVersionError, "unknown version '11'"),
    "version text": (packed(pieces(version=b"three")), UnknownVersionError, "unknown version"),
    "format version": (
        packed(pieces(dot_format_version=b"9")),
        UnknownVersionError,
        "unknown format version '9'",
    ),
    "byte order": (
        packed(pieces(byteorder=b"middle")),
        UnreadableCheckpointError,
        "unknown byte order 'middle'",
    ),
    "byte order not text": (packed(pieces(byteorder=b"\xff")), UnreadableCheckpointError, "not ASCII"),
    "alignment": (packed(pieces(dot_storage_alignment=b"x")), UnreadableCheckpointError, "is no number"),
    "long version": (packed(pieces(version=b"3" * 2000)), LimitExceededError, "over the limit"),
    "storage missing": (
        packed(pieces(data__0=None)),
        UnreadableCheckpointError,
        "no member 'archive/data/0'",
    ),
    "storage short": (
        packed(pieces(data__0=bytes(11))),
        UnreadableCheckpointError,
        "11 bytes is named as one of 12",
    ),
    "outside": (packed(pieces(), extra=[M("other/a")]), UnreadableCheckpointError, "'other/a' lies outside"),
    "beside": (packed(pieces(), extra=[M("data")]), UnreadableCheckpointError, "'data' lies outside"),
    "script": (
        packed(pieces(**{"constants.pkl": b"."})),
        UnreadableCheckpointError,
        "TorchScript",
    ),
    "junk behind": (
        packed(pieces(**{"data.pkl": pickle.dumps({}, 2) + b"N."})),
        UnreadableCheckpointError,
        "2 bytes",
    ),
    "pickle cut": (
        packed(pieces(**{"data.pkl": pickle.dumps({}, 2)[:-1]})),
        UnreadableCheckpointError,
        "truncated",
    ),
    "pickle empty": (packed(pieces(**{"data.pkl": b""})), UnreadableCheckpointError, "truncated"),
    "no torch file": (
        zip_bytes(M("a/b", b"1")),
        UnreadableCheckpointError,
        "not a file that torch.save wrote",
    ),
    "text": (b"hello", UnreadableCheckpointError, "not a file that torch.save wrote"),
    "empty": (b"", UnreadableCheckpointError, "not a file that torch.save wrote"),
}


@pytest.mark.parametrize(("data", "error", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_zips(data, error, message):
    with pytest.raises(error, match=message) as caught:
        opened_torch(data)
    assert type(caught.value) is error
    assert caught.value.where.startswith("x.pt")


def test_torch_refuses_the_same_versions():
    for version in (b"0\n", b"11\n", None):
        with pytest.raises(RuntimeError):
            torch_reads(packed(pieces(version=version)))
    for version in (b"1\n", b"10\n"):
        assert opened_torch(packed(pieces(version=version))).facts["version"] == version.decode().strip()
        torch_reads(packed(pieces(version=version)))


def test_real_torchscript_is_named(tmp_path):
    path = tmp_path / "m.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    archive = ZipArchive.open(FileSource(path))
    assert is_torch_zip(archive)
    with pytest.raises(UnreadableCheckpointError, match=r"TorchScript archive.*save its state_dict"):
        from_zip(archive)


def test_a_real_torch_package_is_named(tmp_path):
    path = tmp_path / "p.pt"
    with torch.package.PackageExporter(path) as exporter:
        exporter.save_text("a", "b.txt", "hello")
    archive = ZipArchive.open(FileSource(path))
    assert is_torch_zip(archive)
    with pytest.raises(UnreadableCheckpointError, match=r"torch\.package archive"):
        from_zip(archive)


def test_what_the_pickle_does_not_name_is_a_fact():
    file = opened_torch(packed(pieces(data__0=bytes(20), data__7=b"hidden", **{"notes.txt": b"hi"})))
    assert file.facts["unreferenced"] == ("archive/data/7",)
    assert file.facts["unknown"] == ("archive/notes.txt",)
    assert file.facts["oversized"] == ("archive/data/0",)
    assert file.root["w"].tobytes() == bytes(12)


def test_a_corrupt_storage_is_seen_when_it_is_read():
    data = bytearray(saved({"w": torch.ones(1000)}))
    at = data.index(b"\0\0\x80\x3f" * 4)
    data[at + 100] ^= 1
    file = opened_torch(bytes(data))
    with pytest.raises(UnreadableCheckpointError, match="do not match the CRC"):
        file.root["w"].tobytes()


def storage_pickle(*pid) -> bytes:
    """A dict with one float tensor whose persistent id is `pid`."""

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return pid if isinstance(obj, Storage) else None

        def reducer_override(self, obj):
            if isinstance(obj, torch.Tensor):
                return torch._utils._rebuild_tensor_v2, (Storage(), 0, (1,), (1,), False, OrderedDict())
            return NotImplemented

    target = io.BytesIO()
    Pickler(target, 2).dump({"w": torch.ones(1)})
    return target.getvalue()


F = torch.FloatStorage


@pytest.mark.parametrize(
    "pid",
    [
        ("storage", F, "0", "cpu"),
        ("storage", F, "0", "cpu", 3, None),
        ("storage", F, "0", "cpu", -3),
        ("storage", F, "0", "cpu", True),
        ("storage", F, "0", "cpu", "3"),
        ("storage", F, 0, "cpu", 3),
        ("storage", F, "0", None, 3),
        ("Storage", F, "0", "cpu", 3),
        ("storage", "FloatStorage", "0", "cpu", 3),
        ("storage", OrderedDict, "0", "cpu", 3),
        ("storage", F, "../data.pkl", "cpu", 3),
        ("storage", F, "1", "cpu", 3),
        ("storage", F, "0", "cpu", 1 << 62),
        ["storage", F, "0", "cpu", 3],
        "storage",
    ],
    ids=str,
)
def test_persistent_ids_of_another_form(pid):
    data = storage_pickle(*pid) if isinstance(pid, tuple) else pickle.dumps({})
    if not isinstance(pid, tuple):
        data = storage_pickle().replace(b").", b".") if pid == "storage" else storage_pickle(pid)
    with pytest.raises(UnreadableCheckpointError):
        opened_torch(packed(pieces(**{"data.pkl": data})))


def test_a_storage_named_in_two_ways():
    good = storage_pickle("storage", F, "0", "cpu", 3)
    assert opened_torch(packed(pieces(**{"data.pkl": good}))).root["w"].numel == 1
    for other in (("storage", F, "0", "cpu", 2), ("storage", torch.IntStorage, "0", "cpu", 3)):

        class A:
            def __init__(self, pid):
                self.pid = pid

        class Pickler(pickle.Pickler):
            def persistent_id(self, obj):
                return obj.pid if isinstance(obj, A) else None

        target = io.BytesIO()
        Pickler(target, 2).dump([A(("storage", F, "0", "cpu", 3)), A(other)])
        with pytest.raises(
            UnreadableCheckpointError, match="storage '0' is 3 elements of FloatStorage and also"
        ):
            opened_torch(packed(pieces(**{"data.pkl": target.getvalue()})))


def legacy_parts(value):
    """The five pickles and the storages of a legacy file."""
    data = saved(value, zipped=False)
    source = io.BytesIO(data)
    ends = []
    for _ in range(3):
        pickle.load(source)
        ends.append(source.tell())
    return data, ends


def test_legacy_facts():
    file = opened_torch(saved({"w": torch.ones(3)}, zipped=False))
    assert file.facts["protocol_version"] == 1001
    assert file.facts["sys_info"]["little_endian"] is True
    assert file.facts["views"] == 0


def test_legacy_with_a_large_pickle():
    value = {f"layer.{i}": "x" * 40 for i in range(20_000)} | {"w": torch.arange(9)}
    data = saved(value, zipped=False)
    assert len(data) > 1 << 18
    same(opened_torch(data).root["w"], torch.arange(9))


def test_legacy_module_with_its_source():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = saved(torch.nn.Linear(2, 3), zipped=False)
    file = opened_torch(data)
    assert file.facts["modules"] == ("torch.nn.modules.linear.Linear",)
    assert len(file.storages) == 2


def test_every_cut_of_a_legacy_file_is_refused():
    data = saved({"a": torch.arange(3), "b": torch.ones(2)}, zipped=False)
    for length in range(len(data)):
        with pytest.raises(CkptkitError):
            opened_torch(data[:length])


def test_broken_legacy_files():
    data, ends = legacy_parts({"w": torch.arange(3.0)})
    storage = struct.pack("<q", 3) + raw(torch.arange(3.0))
    assert data.endswith(storage)
    rest = data[: -len(storage)]
    keys_at = rest.rindex(b"\x80\x02]")
    key = pickle.loads(rest[keys_at:])[0]

    def keys(*values):
        return rest[:keys_at] + pickle.dumps(list(values), 2)

    protocol_at = data.index(b"\x80\x02M\xe9\x03.")
    cases = {
        "bytes behind": (data + b"x", "1 bytes behind the last storage"),
        "count": (rest + struct.pack("<q", 2) + storage[8:], "named as one of 3 elements and has 2"),
        "negative count": (rest + struct.pack("<q", -1) + storage[8:], "has -1"),
        "no keys": (keys() + storage, "name different storages"),
        "more keys": (keys(key, "9") + storage + storage, "name different storages"),
        "key twice": (keys(key, key) + storage + storage, "not a list of different keys"),
        "keys of another type": (keys({}) + storage, "not a list of different keys"),
        "sys_info": (data[: ends[1]] + pickle.dumps({"x": 1}, 2) + data[ends[2] :], "sys_info is not"),
    }
    for name, (bad, message) in cases.items():
        with pytest.raises(UnreadableCheckpointError, match=message):
            opened_torch(bad)
            pytest.fail(name)
    with pytest.raises(UnknownVersionError, match="unknown protocol 1002"):
        opened_torch(data[:protocol_at] + b"\x80\x02M\xea\x03." + data[protocol_at + 6 :])


def test_a_payload_in_any_of_the_legacy_pickles_is_unsafe():
    data, ends = legacy_parts({"w": torch.arange(3.0)})
    system = pickle.dumps({"protocol_version": 1001, "little_endian": True, "x": eval}, 2)
    file = opened_torch(data[: ends[1]] + system + data[ends[2] :])
    assert file.verdict is Verdict.UNSAFE


def test_legacy_storage_views():
    """What torch before 0.4 wrote: a storage that is a part of another."""
    parts = [("storage", F, "7", "cpu", 4, view) for view in (None, ("8", 1, 2), ("9", 0, 4), ("8", 1, 2))]

    def made(pids):
        class Part:
            def __init__(self, pid):
                self.pid = pid

        class Pickler(pickle.Pickler):
            def persistent_id(self, obj):
                return obj.pid if isinstance(obj, Part) else None

        target = io.BytesIO()
        head, ends = legacy_parts({})
        target.write(head[: ends[2]])
        Pickler(target, 2).dump([Part(pid) for pid in pids])
        pickle.dump(["7"], target, 2)
        target.write(struct.pack("<q4f", 4, 1, 2, 3, 4))
        return target.getvalue()

    file = opened_torch(made(parts))
    whole, part, full, again = file.root
    assert part.storage.source.read(0, 8) == struct.pack("<2f", 2, 3)
    assert part.numel == 2
    assert full.storage is whole.storage
    assert again.storage is part.storage
    for bad in (("8", 3, 2), ("8", -1, 2), ("8", 1), ("7", 1, 2), (8, 1, 2)):
        with pytest.raises(UnreadableCheckpointError):
            opened_torch(made([*parts[:2], ("storage", F, "7", "cpu", 4, bad)]))


@pytest.mark.parametrize("first", ["sys_info", "pickle", "storages", "tensors"])
def test_the_tar_form_is_named(first):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:", format=tarfile.PAX_FORMAT) as made:
        for name in dict.fromkeys([first, "sys_info", "pickle", "storages", "tensors"]):
            made.addfile(tarfile.TarInfo(name), io.BytesIO())
    data = target.getvalue()
    assert is_legacy(data[:512])
    with pytest.raises(UnknownVersionError, match=r"a tar that torch before 0\.1\.10 wrote"):
        opened_torch(data)


def test_what_is_not_legacy():
    assert not is_legacy(b"")
    assert not is_legacy(pickle.dumps({"a": 1}, 2))
    assert not is_legacy(pickle.dumps(0x1950A86A20F9469CFC6D, 2))
    assert not is_legacy(bytes(512))


@pytest.mark.slow
def test_many_tensors_open_in_few_reads(tmp_path):
    path = tmp_path / "many.pt"
    torch.save({f"layers.{i}.weight": torch.full((2,), float(i)) for i in range(50_000)}, path)
    source = Counting(FileSource(path))
    file = open_torch(source)
    assert source.bytes < 2 * path.stat().st_size
    assert source.reads < 4 * 50_000
    assert len(file.storages) == 50_000
    same(file.root["layers.49999.weight"], torch.full((2,), 49999.0))


def torch_files(path):
    """Yield the torch files at a path: itself, or the `.pth` members of an SB3 zip."""
    source = FileSource(path)
    if not is_zip(source.read(0, 4)) or is_torch_zip(ZipArchive.open(source)):
        yield source
        return
    archive = ZipArchive.open(source)
    for name in archive.members:
        archive.check_crc(name)
        if name.endswith(".pth"):
            yield archive.source_of(name)


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus_files(suffixes=[".zip", ".pth", ".pt"]), ids=lambda path: path.name)
def test_real_files_use_every_byte_of_their_storages(path):
    for source in torch_files(path):
        file = open_torch(source)
        assert file.verdict is not Verdict.UNSAFE
        for storage in file.storages:
            assert len(storage.source.read(0, storage.source.size)) == storage.source.size
        assert not file.facts.get("unknown")
        assert not file.facts.get("unreferenced")
        assert not file.facts.get("oversized")
