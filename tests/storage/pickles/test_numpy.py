"""numpy in pickles: the same values that numpy itself reads, without numpy."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ckptkit.model.finding import Verdict
from ckptkit.model.inert import Instance, NdArray
from tests.storage.pickles.streams import read

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.unicode_string_dtypes(endianness="?", min_len=1),
    hnp.byte_string_dtypes(min_len=1),
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def same(found: object, array: np.ndarray) -> bool:
    assert isinstance(found, NdArray)
    assert found.dtype[0] != ">"
    little = array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array
    return (found.dtype, found.shape, found.data) == (little.dtype.str, array.shape, little.tobytes())


@settings(max_examples=300, deadline=None)
@given(data=st.data(), protocol=st.integers(0, 5))
def test_arrays(data: st.DataObject, protocol: int) -> None:
    array = data.draw(hnp.arrays(data.draw(DTYPES), data.draw(SHAPES)))
    array = np.asfortranarray(array) if data.draw(st.booleans()) else array
    array = array.T if data.draw(st.booleans()) else array
    found = read(pickle.dumps([array, array], protocol))
    assert found.verdict is Verdict.DATA_ONLY
    assert isinstance(found.root, list)
    assert same(found.root[0], array)
    assert found.root[0] is found.root[1]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        *(np.dtype(code).type(3) for code in "bBhHiIlLqQefdFD"),
        np.bool_(True),
        np.float32(0.1),
        np.str_("é"),
        np.bytes_(b"ab"),
    ],
    ids=lambda value: str(value.dtype),
)
def test_scalars_are_plain_values(value: np.generic, protocol: int) -> None:
    found = read(pickle.dumps(value, protocol)).root
    assert found == value.item()
    assert type(found) is type(value.item())


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_without_a_plain_form_are_described(protocol: int) -> None:
    objects = np.array([[None, "x"], [1, [2]]], dtype=object)
    fields = np.zeros(2, dtype=[("a", "<f4"), ("b", "<i8")])
    times = np.zeros(2, dtype="M8[s]")
    found = read(pickle.dumps([objects, objects, fields, times], protocol))
    assert found.verdict is Verdict.DATA_ONLY
    assert isinstance(found.root, list)
    assert all(isinstance(value, Instance) for value in found.root)
    assert found.root[0] is found.root[1]
    assert found.root[0].args[0] == (2, 2)
    assert found.root[0].state == [None, "x", 1, [2]]


@pytest.mark.parametrize("protocol", range(6))
def test_random_generators_and_dtypes_are_described(protocol: int) -> None:
    values = [
        np.random.RandomState(3),
        np.random.default_rng(3),
        np.random.SeedSequence(3),
        np.random.MT19937(3),
        np.random.Philox(3),
        np.dtype(">f4"),
        np.float32,
        np.dtype([("a", "i4")]),
    ]
    found = read(pickle.dumps(values, protocol))
    assert found.verdict is Verdict.DATA_ONLY, found.globals
    assert isinstance(found.root, list)
    assert found.root[5].args == (">f4",)


@pytest.mark.parametrize("old", [b"numpy.core", b"numpy._core"])
def test_both_spellings_of_the_module(old: bytes) -> None:
    data = pickle.dumps(np.arange(3), 2).replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", old)
    assert same(read(data).root, np.arange(3))


def test_wrong_lengths_are_no_arrays() -> None:
    data = pickle.dumps(np.arange(3, dtype=np.int8), 4)
    found = read(data.replace(b"K\x03\x85", b"K\x04\x85"))
    assert found.verdict is Verdict.UNSAFE
