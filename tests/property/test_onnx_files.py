"""Whatever ONNX file we take, onnx reads the same tensors and facts out of it.

Models are drawn with every type and every way to store numbers; files are seeded changes of such models.
"""

import struct
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from ckptkit.errors import CkptkitError
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.onnx_types import BY_NUMBER, ELEMENTS, Element
from ckptkit.storage.onnx import OnnxFile, is_onnx, open_onnx
from ckptkit.storage.onnx.beside import Beside
from ckptkit.storage.source import FileSource, MemorySource
from fuzz.onnx_files import changed, joined, varint

FILES = 8000
FIELDS = {"float_data": 4, "int32_data": 5, "int64_data": 7, "double_data": 10, "uint64_data": 11}
KNOWN = [element for element in ELEMENTS if element.dtype]
WAYS = ("raw", "numbers", "tagged", "runs", "beside")

Field = list[Any]


def array_of(element: Element, count: int, random: Random) -> np.ndarray:
    """Return numbers of a type, of any bits that it can have."""
    dtype = helper.tensor_dtype_to_np_dtype(element.number)
    if element.dtype == "BOOL":
        return np.array([random.random() < 0.5 for _ in range(count)], bool)
    return np.frombuffer(random.randbytes(count * dtype.itemsize), dtype)


def numbers(element: Element, array: np.ndarray) -> list[bytes]:
    """Return the numbers of an array as their field has them."""
    width = BY_NAME[element.dtype].word
    if element.field in ("float_data", "double_data"):
        raw = array.tobytes()
        return [raw[at : at + width] for at in range(0, len(raw), width)]
    signed = array.dtype.kind == "i"
    whole = (
        array.view(np.uint8) if element.dtype == "BOOL" else array.view(f"<{'i' if signed else 'u'}{width}")
    )
    return [varint(int(value) & (2**64 - 1)) for value in whole]


def stored(element: Element, array: np.ndarray, way: str, random: Random) -> list[Field]:
    """Return the fields that hold an array in one of the ways."""
    if way == "raw":
        return [[9, 2, array.tobytes()]]
    each, field = numbers(element, array), FIELDS[element.field]
    if way == "numbers":
        return [[field, 2, b"".join(each)]]
    wire = {"float_data": 5, "double_data": 1}.get(element.field, 0)
    if way == "tagged":
        return [[field, wire, one] for one in each]
    fields: list[Field] = []
    while each:
        taken = random.randint(1, len(each))
        run, each = each[:taken], each[taken:]
        fields += (
            [[field, wire, one] for one in run] if random.random() < 0.5 else [[field, 2, b"".join(run)]]
        )
    return fields


def drawn(seed: int, folder: Path) -> bytes:
    """Write the data of a model beside it, and return its bytes."""
    random, tensors, beside = Random(seed), [], b""
    for index in range(random.randint(1, 5)):
        element = random.choice(KNOWN)
        dims = [random.choice((0, 1, 2, 3, 5)) for _ in range(random.randrange(4))]
        array = array_of(element, int(np.prod(dims, dtype=int)), random)
        way = random.choice(WAYS)
        place = (
            [[1, 0, size] for size in dims]
            if random.random() < 0.5
            else [[1, 2, b"".join(map(varint, dims))]]
        )
        fields: list[Field] = [*place, [2, 0, element.number], [8, 2, f"t{index}".encode()]]
        if way == "beside":
            beside += random.randbytes(random.choice((0, 3, 64)))
            stated = {"location": "data", "offset": str(len(beside)), "length": str(array.nbytes)}
            fields += [
                [13, 2, joined([[1, 2, key.encode()], [2, 2, text.encode()]])] for key, text in stated.items()
            ]
            fields.append([14, 0, 1])
            beside += array.tobytes()
        else:
            fields += stored(element, array, way, random)
        random.shuffle(fields) if way in ("raw", "numbers", "beside") and len(dims) < 2 else None
        tensors.append([5, 2, fields])
    (folder / "data").write_bytes(beside)
    return joined([[1, 0, 10], [7, 2, [[2, 2, b"g"], *tensors]], [8, 2, joined([[2, 0, 18]])]])


def assert_alike(file: OnnxFile, data: bytes, folder: Path) -> int:
    """Assert that onnx reads the same, and return how many tensors that were."""
    model = onnx.load_model_from_string(data)
    assert [one.name for one in model.graph.initializer] == list(file.tensors)
    for one in model.graph.initializer:
        found, wanted = file.tensors[one.name], numpy_helper.to_array(one, str(folder))
        assert (found.dtype.name, found.shape) == (BY_NUMBER[one.data_type].dtype, wanted.shape)
        assert found.tobytes() == wanted.tobytes()
        assert found.numpy().tobytes() == wanted.tobytes()
        if len(wanted.shape) and wanted.shape[0]:
            assert found[-1:].numpy().tobytes() == wanted[-1:].tobytes()
    assert (model.ir_version, model.graph.name) == (file.ir_version, file.graph)
    opsets = {"" if one.domain == "ai.onnx" else one.domain: one.version for one in model.opset_import}
    assert opsets == file.opsets
    assert {one.key: one.value for one in model.metadata_props} == file.metadata
    return len(file.tensors)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_every_way_to_store_every_type_is_read_as_onnx_reads_it(seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = drawn(seed, folder)
        (folder / "model.onnx").write_bytes(data)
        source = FileSource(folder / "model.onnx")
        assert is_onnx(source)
        assert_alike(open_onnx(source, Beside(folder / "model.onnx")), data, folder)


@pytest.mark.parametrize("element", KNOWN, ids=lambda element: element.name)
@pytest.mark.parametrize("way", [way for way in WAYS if way != "beside"])
def test_each_type_in_each_way(element: Element, way: str, tmp_path: Path) -> None:
    random = Random(element.number)
    array = array_of(element, 5000, random)
    fields = [[1, 0, 5000], [2, 0, element.number], [8, 2, b"t"], *stored(element, array, way, random)]
    data = joined([[1, 0, 10], [7, 2, [[2, 2, b"g"], [5, 2, fields]]]])
    assert assert_alike(open_onnx(MemorySource(data, "m.onnx")), data, tmp_path) == 1


@cache
def sound() -> tuple[bytes, ...]:
    """Return small models to change, with nodes, branches and values around the tensors."""
    made = []
    with tempfile.TemporaryDirectory() as name:
        for seed in range(12):
            model = onnx.load_model_from_string(drawn(seed, Path(name)))
            kept = [one for one in model.graph.initializer if not one.external_data][:3]
            del model.graph.initializer[:]
            model.graph.initializer.extend(kept)
            inner = helper.make_graph([], "inner", [], [], kept[:1])
            model.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=inner))
            model.graph.node.append(helper.make_node("Pad", ["x"], ["y"], pads=[1, 2], mode="edge"))
            model.graph.input.append(helper.make_tensor_value_info("x", 1, ["batch", 3]))
            model.graph.value_info.append(helper.make_tensor_value_info("y", 1, [None, 3]))
            model.metadata_props.add(key="a", value="b")
            made.append(model.SerializeToString())
    return tuple(made)


def test_every_change_that_is_taken_is_read_alike(tmp_path: Path) -> None:
    taken = refused = 0
    for number in range(FILES):
        random = Random(number)
        data = changed(random.choice(sound()), random)
        try:
            file = open_onnx(MemorySource(data, "m.onnx"))
        except CkptkitError as error:
            assert error.what
            refused += 1
            continue
        taken += 1
        assert_alike(file, data, tmp_path)
    assert taken + refused == FILES
    assert taken >= FILES // 10
    assert refused >= FILES // 10


def test_negative_zero_and_payloads_of_nan_are_bits(tmp_path: Path) -> None:
    bits = struct.pack("<3I", 0x80000000, 0x7FC12345, 0xFF800001)
    data = joined([[1, 0, 10], [7, 2, [[5, 2, [[1, 0, 3], [2, 0, 1], [8, 2, b"t"], [4, 2, bits]]]]]])
    assert open_onnx(MemorySource(data, "m.onnx")).tensors["t"].tobytes() == bits


def test_there_are_types() -> None:
    assert len(KNOWN) == 19
