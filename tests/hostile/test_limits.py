"""The table of `spec/limits.md` is what the code holds, and each bound is one on both of its sides."""

import gzip
import io
import json
import lzma
import re
import struct
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model import ijson, manifest
from ckptkit.model.plain import plain
from ckptkit.schema.apply import validate_part
from ckptkit.storage import compressed, safetensors_file, torch_file, torch_storages
from ckptkit.storage import zip as zip_package
from ckptkit.storage.compressed import unwrap
from ckptkit.storage.pickles import limits
from ckptkit.storage.sb3 import data
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.scan import streams as scan_streams
from ckptkit.storage.scan import tars
from ckptkit.storage.scan.streams import streams
from ckptkit.storage.source import MemorySource
from ckptkit.storage.torch_file import from_zip
from ckptkit.storage.zip import central, end, layout
from tests.corpus import CHECKOUT
from tests.storage.pickles.streams import name, read
from tests.storage.zips import M, opened, zip_bytes

TABLE = dict(
    re.findall(r"^\| (.+?) \| (.+) \|$", (CHECKOUT / "spec" / "limits.md").read_text("utf-8"), re.MULTILINE)
)
MIB = 1 << 20
STATED = {
    "JSON text: manifest, other files": f"{ijson.MAX_BYTES // MIB} MiB",
    "nesting of arrays and objects in JSON": f"{ijson.MAX_DEPTH}",
    "values of JSON (commas and opening brackets)": f"{ijson.MAX_VALUES:,}",
    "parts of JSON (a comma, an opening bracket and a string are one, a colon three)": (
        f"{ijson.MAX_PARTS:,}; in a manifest {manifest.PARTS_PER_TENSOR} more for each tensor that its files "
        f"hold, and {manifest.PARTS_PER_DESCRIBED} more for each of the first {manifest.DESCRIBED_TENSORS:,}"
    ),
    "JSON text with characters beyond U+FFFF": f"{ijson.MAX_WIDE_BYTES // MIB} MiB",
    "digits of an integer in JSON": f"{ijson.MAX_DIGITS:,}",
    "`data` of a Stable-Baselines3 zip": (
        f"{data.MAX_BYTES // MIB} MiB, {data.MAX_VALUES:,} values, {data.MAX_FIELDS:,} fields"
    ),
    "dimensions of a tensor": f"{safetensors_file.MAX_RANK}",
    "header of a safetensors file": (
        f"{safetensors_file.MAX_HEADER_BYTES // MIB} MiB, {safetensors_file.MAX_HEADER_VALUES:,} values, "
        f"{safetensors_file.MAX_HEADER_TOKENS:,} quotes, commas and brackets, "
        f"{2 * safetensors_file.MAX_METADATA:,} strings besides those of tensors"
    ),
    "window of zstd, dictionary of xz": f"{compressed.MAX_MEMORY // MIB} MiB",
    "content of a gzip, xz, bzip2, zstd or lz4 file": (
        f"{compressed.MAX_BYTES >> 30} GiB; above {compressed.FREE_BYTES // MIB} MiB also "
        f"{compressed.MAX_RATIO} times the bytes it takes"
    ),
    "pickles one behind the other in a file that is scanned": (
        f"{scan_streams.MAX_PICKLES:,}; {scan_streams.MAX_FACTS:,} globals in all of them"
    ),
    "extended header of a tar": f"{tars.MAX_HEADER_BYTES // MIB} MiB",
    "pickle of a torch file": f"{torch_storages.MAX_PICKLE_BYTES // MIB} MiB",
    "opcodes of a pickle": f"{limits.MAX_OPCODES:,}",
    "values on a pickle's stack": f"{limits.MAX_STACK:,}",
    "open marks of a pickle": f"{limits.MAX_MARKS:,}",
    "memo entries of a pickle, and the largest key": f"{limits.MAX_MEMO:,}",
    "memory that a pickle's values take, by estimate": (
        f"{limits.MADE_FREE // MIB} MiB, {limits.MADE_PER_BYTE} bytes more for each byte of the pickle and "
        f"{limits.MADE_PER_STORAGE // 1024} KiB for each storage"
    ),
    "nesting of containers in a pickle": f"{limits.MAX_DEPTH}",
    "pickles and torch files inside a pickle": f"{limits.MAX_NESTED_PICKLES} deep",
    "integer in a pickle": f"{limits.MAX_INTEGER_BYTES:,} bytes, {limits.MAX_INTEGER_DIGITS:,} digits",
    "module and name of a global": f"{limits.MAX_NAME:,} characters",
    "different globals of a pickle": f"{limits.MAX_FACTS:,}",
    "parts of a dictionary key in a pickle": f"{limits.MAX_KEY_NODES}",
    "members of a zip archive": (
        f"{layout.MAX_MEMBERS:,}; a directory of {layout.MAX_DIRECTORY_BYTES // MIB} MiB"
    ),
    "name of a zip member": f"{layout.MAX_NAME_BYTES:,} bytes",
    "deflated members of a zip archive": (
        f"{layout.MAX_INFLATED_BYTES >> 30} GiB together; above {layout.FREE_RATIO_BYTES // MIB} MiB also "
        f"{layout.MAX_RATIO} times the compressed size"
    ),
    "deflated member that is held in memory (a pickle, JSON)": (
        f"above {layout.FREE_WHOLE_BYTES // MIB} MiB {layout.MAX_WHOLE_RATIO} times the compressed size"
    ),
}


def ranked(dimensions: int) -> object:
    header = json.dumps({"a": {"dtype": "U8", "shape": [1] * dimensions, "data_offsets": [0, 1]}}).encode()
    content = struct.pack("<Q", len(header)) + header + b"x"
    return safetensors_file.open_safetensors(MemorySource(content, "a.safetensors"))


def depth(levels: int) -> bytes:
    return b"]" * levels + b"a" * (levels - 1) + b"."


SIDES: dict[str, tuple[Callable[[int], object], int]] = {
    "JSON depth": (lambda n: ijson.parse(b"[" * n + b"]" * n), ijson.MAX_DEPTH),
    "JSON bytes": (lambda n: ijson.parse(b"1".ljust(n), max_bytes=100), 100),
    "JSON values": (lambda n: ijson.parse(b"[" + b",".join([b"1"] * n) + b"]", max_values=50), 50),
    "fields of data": (
        lambda n: data.fields(json.dumps({f"k{i}": 0 for i in range(n)}).encode(), "x", Collected()),
        data.MAX_FIELDS,
    ),
    "dimensions": (ranked, safetensors_file.MAX_RANK),
    "pickle depth": (lambda n: read(depth(n)), limits.MAX_DEPTH),
    "long integer": (
        lambda n: read(b"\x8b" + struct.pack("<i", n) + b"\1" * n + b"."),
        limits.MAX_INTEGER_BYTES,
    ),
    "decimal integer": (lambda n: read(b"I" + b"1" * n + b"\n."), limits.MAX_INTEGER_DIGITS),
    "global's name": (lambda n: read(name("m", "n" * (n - 1)) + b"."), limits.MAX_NAME),
    "globals": (
        lambda n: read(b"".join(name("m", f"n{i}") + b"0" for i in range(n)) + b"N."),
        limits.MAX_FACTS,
    ),
    "memo key": (lambda n: read(b"Nr" + struct.pack("<I", n - 1) + b"."), limits.MAX_MEMO),
    "parts of a key": (lambda n: read(b"}(" + b"N" * (n - 1) + b"tNs."), limits.MAX_KEY_NODES),
    "member name": (lambda n: opened(zip_bytes(M("a" * n, b"x"))), layout.MAX_NAME_BYTES),
}


Patch = dict[object, dict[str, int]]


@dataclass(frozen=True)
class Bound:
    """What is just taken, and what is just not, where bounds that take seconds are set low."""

    attempt: Callable[[int], object]
    below: int
    above: int
    low: Patch = field(default_factory=dict)
    error: type[UnreadableCheckpointError] = LimitExceededError


def exact(case: str) -> Bound:
    attempt, most = SIDES[case]
    return Bound(attempt, most, most + 1)


def nested(levels: int) -> object:
    made = b"\x80\x02N."
    for _ in range(levels):
        made = b"\x80\x03B" + struct.pack("<I", len(made)) + made + b"."
    return read(made)


def agent(raw: bytes) -> object:
    return data.fields(raw, "x", Collected())


def header(raw: bytes) -> object:
    content = struct.pack("<Q", len(raw)) + raw
    return safetensors_file.open_safetensors(MemorySource(content, "a.safetensors"))


def pairs(count: int) -> bytes:
    return json.dumps({"__metadata__": {f"{i:05}": "" for i in range(count)}}, separators=(",", ":")).encode()


def tree(levels: int) -> None:
    """Raise what a reader records: what lies deeper is left out by name."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    _, dropped = plain(value)
    if dropped:
        raise LimitExceededError(dropped[0].reason)


def valid(name: str, part: str, value: object) -> None:
    for problem in validate_part(name, part, value):
        if "at most" in problem.message:
            raise LimitExceededError(problem.message)


def torch_zip(length: int) -> object:
    pickle = b"\x80\x02X" + struct.pack("<I", length - 10) + b"a" * (length - 10) + b"0}."
    return from_zip(opened(zip_bytes(M("m/data.pkl", pickle), M("m/version", b"3\n"))))


def packed(length: int) -> object:
    return unwrap(MemorySource(gzip.compress(bytes(length)), "x.gz"), lambda _: True)


def dictionary(size: int) -> object:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": size}]
    return unwrap(MemorySource(lzma.compress(bytes(99), filters=filters), "x.xz"), lambda _: True)


def deflated(*sizes: int) -> object:
    archive = opened(zip_bytes(*(M(f"m{i}", bytes(size), 8) for i, size in enumerate(sizes))))
    return [archive.read(name, 1 << 20) for name in archive.members]


def in_a_row(count: int) -> None:
    if problem := streams(b"\x80\x02N." * count, "x").problem:
        raise problem


def names_in_a_row(count: int) -> None:
    if problem := streams(b"".join(b"\x80\x02cm\nn%d\n." % i for i in range(count)), "x").problem:
        raise problem


def tar(length: int) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a")
        entry.pax_headers = {"comment": "x" * length}
        archive.addfile(entry)
    if problem := tars.TarMembers(MemorySource(made.getvalue(), "x.tar")).problem:
        raise problem


def marks(count: int) -> object:
    return read(b"(" * count + b"N0" * 5000 + b"1" * count + b"N.")


def array(values: int) -> bytes:
    return b"[" + b",".join([b"1"] * values) + b"]"


def wide(length: int) -> bytes:
    return json.dumps("😀" + "a" * (length - 14)).encode()


def members(count: int) -> object:
    return opened(zip_bytes(*(M(f"{i}", b"") for i in range(count))))


GRAPH = "architecture-1.0"
BOUNDS: dict[str, tuple[Bound, ...]] = {
    "JSON text: manifest, other files": (exact("JSON bytes"),),
    "nesting of arrays and objects in JSON": (exact("JSON depth"),),
    "values of JSON (commas and opening brackets)": (exact("JSON values"),),
    "parts of JSON (a comma, an opening bracket and a string are one, a colon three)": (
        Bound(lambda n: ijson.parse(array(n)), ijson.MAX_PARTS, ijson.MAX_PARTS + 1),
    ),
    "JSON text with characters beyond U+FFFF": (
        Bound(
            lambda n: ijson.parse(json.dumps("😀" + "a" * (n - 14)).encode()),
            100,
            101,
            {ijson: {"MAX_WIDE_BYTES": 100}},
        ),
    ),
    "digits of an integer in JSON": (
        Bound(lambda n: ijson.parse(b"1" * n, legacy=True), 4000, 4001, error=UnreadableCheckpointError),
    ),
    "`data` of a Stable-Baselines3 zip": (
        exact("fields of data"),
        Bound(lambda n: agent(b"{}".ljust(n)), 100, 101, {data: {"MAX_BYTES": 100}}),
        Bound(lambda n: agent(b'{"a":' + array(n - 1) + b"}"), data.MAX_VALUES, data.MAX_VALUES + 1),
    ),
    "containers around a value of a tree (one takes up to three in JSON)": (Bound(tree, 30, 31),),
    "dimensions of a tensor": (exact("dimensions"),),
    "path in the manifest": (Bound(lambda n: valid("manifest-2.0", "/$defs/path", "a" * n), 1024, 1025),),
    "header of a safetensors file": (
        Bound(lambda n: header(b"{}".ljust(n)), 100, 101, {safetensors_file: {"MAX_HEADER_BYTES": 100}}),
        Bound(lambda n: header(pairs(n)), 40, 42, {safetensors_file: {"MAX_HEADER_VALUES": 41}}),
        Bound(lambda n: header(pairs(n)), 40, 42, {safetensors_file: {"MAX_HEADER_TOKENS": 5 * 41 + 3}}),
        Bound(lambda n: header(pairs(n)), 40, 42, {safetensors_file: {"MAX_METADATA": 41}}),
    ),
    "inputs, outputs; layers of an architecture graph": tuple(
        Bound(lambda n, part=part: valid(GRAPH, "/$defs/graph", {part: [{}] * n}), most, most + 1)  # type: ignore[misc]
        for part, most in (("inputs", 1024), ("outputs", 1024), ("layers", 10_000))
    ),
    "pickle of a torch file": (Bound(torch_zip, 100, 101, {torch_file: {"MAX_PICKLE_BYTES": 100}}),),
    "opcodes of a pickle": (
        Bound(lambda n: read(b"N" + b"20" * n + b"."), 4000, 9000, {limits: {"MAX_OPCODES": 10_000}}),
    ),
    "values on a pickle's stack": (
        Bound(lambda n: read(b"(" + b"N" * n + b"l."), 4000, 9000, {limits: {"MAX_STACK": 5000}}),
    ),
    "open marks of a pickle": (Bound(marks, 90, 120, {limits: {"MAX_MARKS": 100}}),),
    "memo entries of a pickle, and the largest key": (exact("memo key"),),
    "memory that a pickle's values take, by estimate": (
        Bound(lambda n: read(b"(" + b"]" * n + b"l."), 100, 10_000, {limits: {"MADE_FREE": 1 << 16}}),
    ),
    "nesting of containers in a pickle": (exact("pickle depth"),),
    "pickles and torch files inside a pickle": (Bound(nested, 4, 5),),
    "integer in a pickle": (exact("long integer"), exact("decimal integer")),
    "module and name of a global": (exact("global's name"),),
    "different globals of a pickle": (exact("globals"),),
    "parts of a dictionary key in a pickle": (exact("parts of a key"),),
    "members of a zip archive": (
        Bound(
            lambda n: opened(zip_bytes(*(M(f"{i}", b"") for i in range(n)))), 3, 4, {end: {"MAX_MEMBERS": 3}}
        ),
        Bound(lambda n: opened(zip_bytes(M("a" * n, b""))), 54, 55, {end: {"MAX_DIRECTORY_BYTES": 100}}),
    ),
    "name of a zip member": (exact("member name"),),
    "deflated members of a zip archive": (
        Bound(lambda n: deflated(n, 50), 50, 51, {zip_package: {"MAX_INFLATED_BYTES": 100}}),
        Bound(deflated, 50, 5000, {central: {"FREE_RATIO_BYTES": 100, "MAX_RATIO": 9}}),
    ),
    "deflated member that is held in memory (a pickle, JSON)": (
        Bound(deflated, 50, 5000, {zip_package: {"FREE_WHOLE_BYTES": 100, "MAX_WHOLE_RATIO": 9}}),
    ),
    "content of a gzip, xz, bzip2, zstd or lz4 file": (
        Bound(packed, 1000, 1001, {compressed: {"MAX_BYTES": 1000}}),
        Bound(packed, 1000, 9000, {compressed: {"FREE_BYTES": 1000}}),
    ),
    "window of zstd, dictionary of xz": (
        Bound(dictionary, compressed.MAX_MEMORY, compressed.MAX_MEMORY * 3 // 2),
    ),
    "pickles one behind the other in a file that is scanned": (
        Bound(in_a_row, 10, 12, {scan_streams: {"MAX_PICKLES": 10}}),
        Bound(names_in_a_row, 10, 12, {scan_streams: {"MAX_FACTS": 10}}),
    ),
    "extended header of a tar": (Bound(tar, 1_000_000, 1_100_000),),
}
"""By the row of the table."""
ELSEWHERE = {
    "fields of all messages of an ONNX file": "storage/onnx/test_wire.py",
    "graphs inside each other in an ONNX file; types inside each other": "storage/onnx/test_model.py",
    "operators, functions, inputs, outputs of an ONNX file; inputs and attributes of a node": (
        "readers/test_onnx.py"
    ),
    "tensors of an ONNX file that are others again": "storage/onnx/test_model.py",
    "text in an ONNX file": "readers/test_onnx.py",
    "integers that an ONNX file holds one by one": "storage/onnx/test_values.py",
    "files beside an ONNX file": "storage/onnx/test_beside.py",
    "value in an architecture graph": "graph/test_shapes.py",
}
"""Rows whose bounds are crossed in the tests of their own module."""
CASES = [(row, index) for row, bounds in BOUNDS.items() for index in range(len(bounds))]


def test_the_table_says_what_the_code_holds() -> None:
    assert {what: TABLE.get(what) for what in STATED} == STATED
    assert len(STATED) >= 24


def test_every_row_of_the_table_has_a_case() -> None:
    rows = TABLE.keys() - {"what", "---"}
    assert rows == BOUNDS.keys() | ELSEWHERE.keys()
    assert not BOUNDS.keys() & ELSEWHERE.keys()
    for place in ELSEWHERE.values():
        assert re.search(r"LimitExceededError|MOST_ELEMENTS", (CHECKOUT / "tests" / place).read_text("utf-8"))


@pytest.mark.parametrize(("row", "index"), CASES)
def test_a_bound_of_the_table_holds_on_both_sides(
    row: str, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = BOUNDS[row][index]
    for module, values in bound.low.items():
        for constant, value in values.items():
            monkeypatch.setattr(module, constant, value)
    bound.attempt(bound.below)
    with pytest.raises(bound.error) as caught:
        bound.attempt(bound.above)
    assert caught.value.code == bound.error.code
    assert re.search(r"\d", caught.value.what)


@pytest.mark.parametrize("case", SIDES)
def test_a_bound_is_the_most_that_is_taken(case: str) -> None:
    attempt, most = SIDES[case]
    attempt(most)
    with pytest.raises(LimitExceededError):
        attempt(most + 1)
