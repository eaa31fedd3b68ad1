"""The table of `spec/limits.md` is what the code holds, and each bound is one on both of its sides."""

import json
import re
import struct
from collections.abc import Callable

import pytest

from ckptkit.errors import LimitExceededError
from ckptkit.model import ijson, manifest
from ckptkit.storage import safetensors_file, torch_storages
from ckptkit.storage.pickles import limits
from ckptkit.storage.sb3 import data
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.source import MemorySource
from ckptkit.storage.zip import layout
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


def test_the_table_says_what_the_code_holds() -> None:
    assert {what: TABLE.get(what) for what in STATED} == STATED
    assert len(STATED) >= 24


@pytest.mark.parametrize("case", SIDES)
def test_a_bound_is_the_most_that_is_taken(case: str) -> None:
    attempt, most = SIDES[case]
    attempt(most)
    with pytest.raises(LimitExceededError):
        attempt(most + 1)
