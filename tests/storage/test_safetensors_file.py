"""The strict safetensors reader; the safetensors library is the oracle."""

import json
import struct
import time
import tracemalloc

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from ckptkit.errors import CkptkitError, LimitExceededError, UnreadableCheckpointError, UnsupportedTensorError
from ckptkit.model.dtype import BY_NAME, DTYPES
from ckptkit.storage.safetensors_file import is_safetensors, open_safetensors
from ckptkit.storage.source import MemorySource
from tests.storage.counting import Counting


def pack(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def opened(data):
    return open_safetensors(MemorySource(data, "x.safetensors"))


def info(start=0, end=4, dtype="F32", shape=(1,), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end], **more}


FOUR, EIGHT = b"abcd", b"abcdefgh"

REFUSED = {
    "empty": (b"", "truncated"),
    "length only": (bytes(8), "start with {"),
    "length leaves the file": (pack({"a": info()}, FOUR, 5000), "leaves the file"),
    "huge length": (pack(b"{}", FOUR, 2**63), "leaves the file"),
    "leading space": (pack(b" " + json.dumps({"a": info()}).encode(), FOUR), "start with {"),
    "BOM": (pack(b"\xef\xbb\xbf{}"), "start with {"),
    "trailing newline": (pack(b"{}\n"), "start with {"),
    "not JSON": (pack(b"{a}"), "not I-JSON"),
    "list": (pack(b"[]"), "start with {"),
    "not UTF-8": (pack(b'{"\xff": {}}'), "not UTF-8"),
    "two values": (pack(b"{}{}"), "not I-JSON"),
    "duplicate tensor": (
        pack(b'{"a": %s, "a": %s}' % ((json.dumps(info()).encode(),) * 2), FOUR),
        "duplicate key",
    ),
    "duplicate field": (
        pack(b'{"a": {"dtype": "F32", "dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', FOUR),
        "duplicate key",
    ),
    "duplicate metadata": (pack(b'{"__metadata__": {"k": "1", "k": "2"}}'), "duplicate key"),
    "metadata null": (pack({"__metadata__": None}), "must map strings"),
    "metadata number": (pack({"__metadata__": {"a": 1}}), "must map strings"),
    "metadata list": (pack({"__metadata__": []}), "must map strings"),
    "metadata nested": (pack({"__metadata__": {"a": {}}}), "must map strings"),
    "unknown field": (pack({"a": info(more=1)}, FOUR), "exactly the fields"),
    "missing field": (pack({"a": {"dtype": "F32", "shape": [1]}}, FOUR), "exactly the fields"),
    "list form": (pack({"a": ["F32", [1], [0, 4]]}, FOUR), "exactly the fields"),
    "null info": (pack({"a": None}), "exactly the fields"),
    "dtype number": (pack({"a": info(dtype=4)}, FOUR), "dtype is not a string"),
    "float offset": (pack({"a": info(0.0, 4)}, FOUR), "natural numbers"),
    "negative offset": (pack({"a": info(-4, 0)}, FOUR), "natural numbers"),
    "bool offset": (pack({"a": info(False, 4)}, FOUR), "natural numbers"),
    "string shape": (pack({"a": info() | {"shape": "1"}}, FOUR), "natural numbers"),
    "float shape": (pack({"a": info(shape=[1.0])}, FOUR), "natural numbers"),
    "three offsets": (pack({"a": info() | {"data_offsets": [0, 2, 4]}}, FOUR), "a start and an end"),
    "offsets swapped": (pack({"a": info(4, 0)}, FOUR), "a start and an end"),
    "size differs": (pack({"a": info(shape=[2])}, FOUR), "needs 8 bytes and has 4"),
    "overflow": (pack({"a": info(shape=[2**32, 2**32])}, FOUR), "overflows"),
    "overflow to the right size": (pack({"a": info(shape=[2**52, 2**52, 4])}, FOUR), "overflows"),
    "overflow beside 0": (pack({"a": info(0, 0, shape=[0, 2**40, 2**40])}), "overflows"),
    "beyond I-JSON": (pack({"a": info(shape=[2**60])}, FOUR), "outside"),
    "overlap": (pack({"a": info(), "b": info(2, 6)}, EIGHT[:6]), "overlaps"),
    "same bytes": (pack({"a": info(), "b": info()}, FOUR), "overlaps"),
    "hole": (pack({"a": info(), "b": info(8, 12)}, EIGHT + FOUR), "unused bytes before"),
    "hole at the start": (pack({"a": info(4, 8)}, EIGHT), "unused bytes before"),
    "trailing bytes": (pack({"a": info()}, EIGHT), "4 bytes behind the last tensor"),
    "bytes and no tensor": (pack({}, FOUR), "4 bytes behind"),
    "truncated data": (pack({"a": info()}, FOUR[:3]), "truncated"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(data, message):
    with pytest.raises(UnreadableCheckpointError, match=message) as caught:
        opened(data)
    assert str(caught.value).startswith("x.safetensors")


@pytest.mark.parametrize("dtype", ["F4", "F6_E2M3", "F6_E3M2", "Q8", "f32", ""])
def test_names_the_tensor_of_an_unknown_type(dtype):
    with pytest.raises(UnsupportedTensorError, match=r"tensor 'a\.w' has element type"):
        opened(pack({"a.w": info(dtype=dtype)}, FOUR))


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"a":[' + b"[]," * 2_000_000 + b"[]]}",
        b'{"a":"' + b"x" * (33 << 20) + b'"}',
        json.dumps({"a": info(0, 4, shape=[1] * 65)}).encode(),
    ],
    ids=["deep", "wide", "long", "rank"],
)
def test_bounds(header):
    started = time.perf_counter()
    data = pack(header, FOUR)
    tracemalloc.start()
    with pytest.raises(LimitExceededError):
        opened(data)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
    assert time.perf_counter() - started < 2


def test_zero_length_tensors_stand_anywhere():
    file = opened(
        pack({"z": info(4, 4, shape=[0, 3]), "a": info(), "y": info(0, 0, shape=[2, 0])}, FOUR + b"")
    )
    assert {name: t.shape for name, t in file.tensors().items()} == {"y": (2, 0), "a": (1,), "z": (0, 3)}
    assert opened(pack({})).tensors() == {}
    assert opened(pack(b"{}      ")).data_start == 16


def test_tensors_are_lazy_and_apart():
    file = opened(pack({"a": info(), "b": info(4, 8)}, EIGHT))
    first = file.tensor("a")
    assert first.tobytes() == b"abcd"
    assert file.entries["b"].offset == file.data_start + 4
    assert first.storage is not file.tensor("b").storage
    with pytest.raises(KeyError):
        file.tensor("c")


def test_recognition():
    assert is_safetensors(pack({"a": info()}, FOUR))
    assert is_safetensors(pack({}))
    assert is_safetensors(pack(b"  {}"))
    assert is_safetensors(pack({"a": info()}, length=5000)), "truncated ones are recognised, to say so"
    assert not is_safetensors(b"")
    assert not is_safetensors(b'{"a": 1, "b": {"c": 1}}')
    assert not is_safetensors(b"PK\3\4" + bytes(40))
    assert not is_safetensors(pack(b"{x"))
    assert not is_safetensors(pack(b"[]"))


def torch_tensors():
    for dtype in DTYPES:
        kind = getattr(torch, dtype.torch)
        raw = torch.arange(3 * dtype.itemsize, dtype=torch.uint8) % (2 if dtype.name == "BOOL" else 255)
        yield dtype.name, raw.view(kind)


def test_every_type_is_read_as_the_library_reads_it(tmp_path):
    tensors = dict(torch_tensors()) | {"scalar": torch.tensor(2.5), "none": torch.zeros(0, 4)}
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(tensors, path, {"a": "b"})
    agree(path.read_bytes())
    assert {t.dtype.name for t in opened(path.read_bytes()).tensors().values()} == set(BY_NAME)


def agree(data: bytes) -> None:
    """Compare with the library: names, types, shapes, bytes, metadata."""
    file = opened(data)
    oracle = dict(safetensors.deserialize(data))
    assert file.tensors().keys() == oracle.keys()
    for name, tensor in file.tensors().items():
        assert tensor.dtype.name == oracle[name]["dtype"]
        assert list(tensor.shape) == oracle[name]["shape"]
        assert tensor.tobytes() == bytes(oracle[name]["data"])


@given(
    st.dictionaries(
        st.text(max_size=6),
        st.tuples(st.sampled_from(sorted(BY_NAME)), st.lists(st.integers(0, 3), max_size=3)),
        max_size=5,
    ),
    st.integers(0, 40),
    st.data(),
)
def test_what_is_accepted_the_library_reads_alike(specs, padding, more):
    header, data = {}, b""
    for name, (dtype, shape) in specs.items():
        count = BY_NAME[dtype].itemsize
        for size in shape:
            count *= size
        header[name] = info(len(data), len(data) + count, dtype, shape)
        data += bytes(i % 2 for i in range(count))
    if "__metadata__" in header:
        return
    blob = bytearray(pack(json.dumps(header, ensure_ascii=False).encode() + b" " * padding, data))
    agree(bytes(blob))
    blob[more.draw(st.integers(0, len(blob) - 1))] ^= 1 << more.draw(st.integers(0, 7))
    try:
        opened(bytes(blob))
    except CkptkitError:
        return
    agree(bytes(blob))


def test_many_tensors_open_in_few_reads():
    count = 20_000
    header = {f"layers.{i}.weight": info(4 * i, 4 * i + 4) for i in range(count)}
    data = pack(header, FOUR * count)
    source = Counting(MemorySource(data, "model.safetensors"))
    assert len(open_safetensors(source).tensors()) == count
    assert source.reads <= 4
