"""Whole files: what is one, what it states, what is left out, and each bound on both of its sides."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptkit.errors import LimitExceededError, UnknownVersionError, UnreadableCheckpointError
from ckptkit.model.onnx_types import NEWEST_IR
from ckptkit.storage.onnx import OnnxFile, beside, graphs, is_onnx, open_onnx, stated, values, walk, wire
from ckptkit.storage.pickles.limits import EXPANDED_BYTES
from ckptkit.storage.source import MemorySource
from fuzz.onnx_files import joined, varint
from tests.corpus import CHECKOUT
from tests.hostile.test_bombs import CHILD, MEGABYTES, SECONDS

Fields = list[list[object]]
TENSOR: Fields = [[1, 0, 1], [2, 0, 1], [8, 2, b"w"], [9, 2, b"abcd"]]
MIB = 1 << 20


def model(*graph: list[object], more: Fields = (), version: int = 10) -> bytes:  # type: ignore[assignment]
    return joined([[1, 0, version], [7, 2, [[2, 2, b"g"], *graph]], *more])


def read(data: bytes) -> OnnxFile:
    return open_onnx(MemorySource(data, "m.onnx"))


def claimed(data: bytes) -> bool:
    return is_onnx(MemorySource(data, "m.onnx"))


def test_a_file_is_known_by_its_fields() -> None:
    assert claimed(model([5, 2, TENSOR]))
    assert claimed(b"\x08\x0a\x3a\x00")
    assert claimed(b"\x08\x0a" + b"\x12\x07pytorch" + b"\x1a\x0212" + b"\x3a\xff\x01\x0a\x00")
    assert not claimed(b"")
    assert not claimed(b"\x08\x0a")
    assert not claimed(b"\x3a\x00\x08\x0a")
    assert not claimed(b"\x08\x0a\x3a\x04text")
    assert not claimed(b"\x08\x01\x12\x03\x0a\x01x\x12\x00")
    assert not claimed(b"\x08\x0a\x4a\x00\x3a\x00")


def test_a_model_without_a_graph_is_refused() -> None:
    with pytest.raises(UnreadableCheckpointError, match="no graph"):
        read(b"\x08\x0a")


@pytest.mark.parametrize("version", [0, NEWEST_IR + 1, 2**63, 2**64 - 1])
def test_versions_that_are_not_known_are_refused_by_number(version: int) -> None:
    with pytest.raises(UnknownVersionError, match="IR version"):
        read(model(version=version))


@pytest.mark.parametrize("version", [1, 3, NEWEST_IR])
def test_known_versions_are_read(version: int) -> None:
    assert read(model([5, 2, TENSOR], version=version)).tensors["w"].tobytes() == b"abcd"


def test_unknown_fields_are_named_but_in_tensors_refused() -> None:
    found = read(model([5, 2, TENSOR], [99, 2, b"new"], more=[[98, 0, 1]]))
    assert found.unknown == ("field 99 of a graph", "field 98 of a model")
    with pytest.raises(UnreadableCheckpointError, match="field 17 of the tensor"):
        read(model([5, 2, [*TENSOR, [17, 0, 1]]]))


def test_training_information_is_walked_through_and_not_read() -> None:
    found = read(model(more=[[20, 2, joined([[2, 2, joined([[5, 2, joined(TENSOR)]])]])]]))
    assert not found.tensors
    assert [(one.place, one.name) for one in found.inner] == [("training_info.algorithm", "w")]


def test_an_input_that_an_initializer_fills_is_none() -> None:
    values_ = [[11, 2, joined([[1, 2, name]])] for name in (b"x", b"w")]
    assert [one["name"] for one in read(model([5, 2, TENSOR], *values_)).inputs] == ["x"]


def test_data_outside_is_looked_at_as_text_where_files_are_not() -> None:
    entry = joined([[1, 2, b"location"], [2, 2, b"m.data"]])
    tensor = [*TENSOR[:3], [13, 2, entry], [14, 0, 1]]
    assert not read(model([5, 2, tensor])).tensors
    hostile = [*TENSOR[:3], [13, 2, entry.replace(b"m.data", b"../dat")], [14, 0, 1]]
    with pytest.raises(UnreadableCheckpointError, match="leaves the folder"):
        read(model([5, 2, hostile]))


def nested(depth: int) -> bytes:
    """Return a model with so many graphs inside each other."""
    inner: Fields = []
    for _ in range(depth):
        inner = [[1, 2, joined([[4, 2, b"Loop"], [5, 2, joined([[1, 2, b"body"], [6, 2, joined(inner)]])]])]]
    return model(*inner)


def sequences(depth: int) -> bytes:
    kind = b""
    for _ in range(depth):
        kind = joined([[4, 2, joined([[1, 2, kind]])]])
    return model([13, 2, joined([[2, 2, kind]])])


def named(count: int, field: int) -> bytes:
    return model(*([field, 2, joined([[1, 2, b"x%d" % index]])] for index in range(count)))


def node(count: int, part: int) -> bytes:
    return model([1, 2, joined([[part, 2, b"" if part == 5 else b"x"]] * count)])


def runs(count: int) -> bytes:
    numbers = [[4, 5, b"abcd"], [16, 2, b""]] * count
    return model([5, 2, [[1, 0, count], [2, 0, 1], [8, 2, b"w"], *numbers]])


def entries(count: int) -> bytes:
    stated_ = [b"location", *(b"k%d" % index for index in range(count - 1))]
    fields = [[13, 2, joined([[1, 2, key], [2, 2, b"a"]])] for key in stated_]
    return model([5, 2, [*TENSOR[:3], *fields, [14, 0, 1]]])


SIDES: dict[str, tuple[Callable[[int], bytes], int]] = {
    "graphs": (nested, graphs.MAX_DEPTH),
    # The outermost type lies in a value, which counts as one, and each sequence holds a type.
    "types": (sequences, (walk.MAX_DEPTH - 2) // 2),
    "inputs": (lambda count: named(count, 11), graphs.MAX_PARTS),
    "outputs": (lambda count: named(count, 12), graphs.MAX_PARTS),
    "inputs of a node": (lambda count: node(count, 1), graphs.MAX_PARTS),
    "attributes of a node": (lambda count: node(count, 5), graphs.MAX_PARTS),
    "runs of a tensor": (runs, stated.MAX_RUNS),
    "entries of a tensor": (entries, stated.MAX_ENTRIES),
    "dimensions": (lambda count: model([5, 2, [[1, 0, 1]] * count + TENSOR[1:]]), 64),
    "text": (lambda count: model(more=[[2, 2, b"a" * count]]), wire.MAX_TEXT_BYTES),
}


@pytest.mark.parametrize("case", SIDES)
def test_a_bound_is_the_most_that_is_taken(case: str) -> None:
    make, most = SIDES[case]
    read(make(most))
    with pytest.raises(LimitExceededError):
        read(make(most + 1))


def test_the_table_of_limits_says_what_the_code_holds() -> None:
    text = (CHECKOUT / "spec" / "limits.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| (.+?) \| (.+) \|$", text, re.MULTILINE))
    stated_ = {
        "fields of all messages of an ONNX file": f"{wire.MAX_FIELDS:,}",
        "graphs inside each other in an ONNX file; types inside each other": (
            f"{graphs.MAX_DEPTH}; {walk.MAX_DEPTH}"
        ),
        "operators, functions, inputs, outputs of an ONNX file; inputs and attributes of a node": (
            f"{graphs.MAX_PARTS:,} each"
        ),
        "text in an ONNX file": (
            f"{wire.MAX_TEXT_BYTES // MIB} MiB; {wire.MAX_TEXTS_BYTES // MIB} MiB together"
        ),
        "integers that an ONNX file holds one by one": f"{values.MAX_VARINT_BYTES // MIB} MiB",
        "files beside an ONNX file": f"{beside.MAX_FILES:,}",
        "tensors of an ONNX file that are others again": f"{EXPANDED_BYTES >> 30} GiB together",
    }
    assert {what: table.get(what) for what in stated_} == stated_


def repeated(field: bytes, total: int) -> bytes:
    return field * (total // len(field))


MOST = 10 * MIB
BOMBS = {
    "fields": lambda: repeated(b"\x72\x00", MOST),
    "nodes": lambda: b"\x3a" + varint(MOST) + repeated(b"\x0a\x00", MOST),
    "names": lambda: joined([[7, 2, repeated(b"\x0a\x05\x22\x03abc", MOST)]]),
    "metadata": lambda: b"".join(
        joined([[14, 2, joined([[1, 2, b"%d" % index]])]]) for index in range(700_000)
    ),
    "unknown": lambda: b"".join(varint((index + 100) << 3) + b"\0" for index in range(900_000)),
    "integers": lambda: joined([[7, 2, [[5, 2, [[2, 0, 7], [8, 2, b"w"], [7, 2, bytes(MOST)]]]]]]),
    "tagged": lambda: joined([[7, 2, [[5, 2, [[2, 0, 7], [8, 2, b"w"], [1, 2, repeated(b"8\0", MOST)]]]]]]),
}


@pytest.mark.skipif(sys.platform != "linux", reason="measured through /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_a_file_of_ten_megabytes_takes_little_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(
        b"\x08\x0a"
        + (b"" if name in ("nodes", "names", "integers", "tagged") else b"\x3a\x00")
        + BOMBS[name]()
    )
    run = subprocess.run(
        [sys.executable, "-c", CHILD, "inspect", str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
    )
    code, megabytes, seconds, said = json.loads(run.stdout)
    assert (code, "Traceback" in said) == (0 if name == "unknown" else 2, False), said
    assert megabytes < MEGABYTES
    assert seconds < SECONDS
