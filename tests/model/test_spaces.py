"""Spaces as data: gymnasium and numpy are the oracles."""

import cloudpickle
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.model.inert import ClassRef, Instance, NdArray
from ckptkit.model.ndvalues import integers, number, uniform, values
from ckptkit.model.spaces import MAX_DEPTH, describe, observation_shapes, random_states
from ckptkit.model.tree import from_json, to_json
from ckptkit.storage import pickles


def inert(value):
    read = pickles.load(cloudpickle.dumps(value), where="test")
    assert read.verdict == "data-only"
    return read.root


def described(space):
    data, notes = describe(inert(space), "space")
    assert not notes
    return data


def bound(data, side, space):
    """Return a bound as the array that it stands for."""
    value = data[side]
    return (
        np.full(space.shape, value, space.dtype)
        if not isinstance(value, list)
        else np.array(value, space.dtype).reshape(space.shape)
    )


DTYPES = (np.float16, np.float32, np.float64, np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_box_bounds_are_exact(dtype):
    info = np.finfo(dtype) if np.issubdtype(dtype, np.floating) else np.iinfo(dtype)
    low = np.array([[info.min, 0, 1], [0, 0, 2]], dtype)
    high = np.array([[info.max, 3, info.max], [1, 1, 3]], dtype)
    space = spaces.Box(low, high, dtype=dtype)
    data = described(space)
    assert data["shape"] == [2, 3]
    assert data["dtype"] == np.dtype(dtype).name
    assert bound(data, "low", space).tobytes() == space.low.tobytes()
    assert bound(data, "high", space).tobytes() == space.high.tobytes()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=6))
def test_any_float32_bound_is_exact(floats):
    low = np.array(floats, np.float32)
    space = spaces.Box(low, np.full_like(low, np.inf))
    data = described(space)
    assert bound(data, "low", space).tobytes() == space.low.tobytes()
    again = from_json(to_json(data))
    assert bound(again, "low", space).tobytes() == space.low.tobytes()


def test_a_uniform_bound_is_one_number():
    data = described(spaces.Box(-1.5, np.inf, (84, 84)))
    assert (data["low"], data["high"]) == (-1.5, np.inf)
    image = described(spaces.Box(0, 255, (3, 4, 4), np.uint8))
    assert image == {"type": "Box", "shape": [3, 4, 4], "dtype": "uint8", "low": 0, "high": 255}


def test_zeros_of_both_signs_are_not_uniform():
    assert described(spaces.Box(np.array([0.0, -0.0], np.float32), 1.0))["low"] == [0.0, -0.0]


def test_scalar_box_and_zero_sized_box():
    assert described(spaces.Box(-1.0, 1.0, ()))["low"] == -1.0
    assert described(spaces.Box(-1.0, 1.0, (0,)))["low"] == []


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (spaces.Discrete(5), {"type": "Discrete", "n": 5, "start": 0, "dtype": "int64"}),
        (spaces.Discrete(3, start=-1), {"type": "Discrete", "n": 3, "start": -1, "dtype": "int64"}),
        (spaces.MultiDiscrete([3, 2]), {"type": "MultiDiscrete", "nvec": [3, 2], "dtype": "int64"}),
        (
            spaces.MultiDiscrete([[3, 2], [4, 5]]),
            {"type": "MultiDiscrete", "nvec": [3, 2, 4, 5], "shape": [2, 2], "dtype": "int64"},
        ),
        (
            spaces.MultiDiscrete([3, 2], start=[1, 0]),
            {"type": "MultiDiscrete", "nvec": [3, 2], "start": [1, 0], "dtype": "int64"},
        ),
        (spaces.MultiBinary(4), {"type": "MultiBinary", "shape": [4], "dtype": "int8"}),
        (spaces.MultiBinary([2, 3]), {"type": "MultiBinary", "shape": [2, 3], "dtype": "int8"}),
        (
            spaces.MultiDiscrete([3, 2], start=[-1, 0]),
            {"type": "MultiDiscrete", "nvec": [3, 2], "start": [-1, 0], "dtype": "int64"},
        ),
        (
            spaces.Text(5, charset="ab"),
            {"type": "Text", "min_length": 1, "max_length": 5, "characters": "ab"},
        ),
    ],
)
def test_spaces_without_bounds(space, expected):
    assert described(space) == expected


def test_nested_spaces_keep_their_order():
    inner = spaces.Tuple((spaces.Discrete(2), spaces.MultiBinary(1)))
    space = spaces.Dict([("z", spaces.Discrete(2)), ("a", inner)])
    members = {member["key"]: member["space"] for member in described(space)["spaces"]}
    assert list(members) == list(space.spaces)
    assert [part["type"] for part in members["a"]["spaces"]] == ["Discrete", "MultiBinary"]


def test_sequence_graph_and_one_of():
    two = {"type": "Discrete", "n": 2, "start": 0, "dtype": "int64"}
    assert described(spaces.Sequence(spaces.Discrete(2))) == {
        "type": "Sequence",
        "space": two,
        "stack": False,
    }
    assert described(spaces.Graph(spaces.Discrete(2), None)) == {"type": "Graph", "node": two, "edge": None}
    assert described(spaces.OneOf((spaces.Discrete(2),))) == {"type": "OneOf", "spaces": [two]}


def gym(name, **state):
    return Instance(ClassRef(f"gym.spaces.{name.lower()}", name), state=state)


def test_gym_spells_attributes_in_other_ways():
    array = NdArray("<f4", (2,), np.array([-1, 1], np.float32).tobytes())
    dtype = Instance(ClassRef("numpy", "dtype"), ("f4", 0, 1))
    box = gym("Box", dtype=dtype, shape=(2,), low=array, high=array)
    expected = {"type": "Box", "shape": [2], "dtype": "float32", "low": [-1.0, 1.0], "high": [-1.0, 1.0]}
    assert describe(box)[0] == expected
    assert describe(gym("Discrete", n=2))[0] == {"type": "Discrete", "n": 2, "start": 0}
    nested = gym("Dict", spaces={"b": gym("Discrete", n=1), "a": gym("Discrete", n=2)})
    assert [member["key"] for member in describe(nested)[0]["spaces"]] == ["b", "a"]


UNKNOWN = [
    Instance(ClassRef("my.spaces", "Grid"), state={}),
    Instance(ClassRef("gym.spaces.box", "Box"), state=None),
    gym("Box", dtype="float32", low=1, high=2),
    gym("Box", dtype="float32", low=NdArray("<f4", (1,), b"\0" * 4), high=NdArray("<f4", (2,), b"\0" * 8)),
    gym("Box", dtype="float32", low=NdArray("<f4", (2,), b"\0" * 4), high=NdArray("<f4", (2,), b"\0" * 8)),
    gym("Box", dtype="float128", low=NdArray("<f16", (), b"\0" * 16), high=NdArray("<f16", (), b"\0" * 16)),
    gym("Discrete", n="many"),
    gym("Discrete", n=0),
    gym("MultiBinary", n=-1),
    gym("MultiDiscrete", nvec=[2], start="x"),
    gym("MultiDiscrete", nvec="many"),
    gym("Dict", spaces=[1]),
    gym("Tuple", spaces=1),
    "a string",
    None,
]


@pytest.mark.parametrize("value", UNKNOWN)
def test_what_is_not_understood_is_named_and_noted(value):
    data, notes = describe(value, "data:observation_space")
    assert data["type"] == "unknown"
    assert [(note.kind, note.location) for note in notes] == [("unknown-space", "data:observation_space")]


def test_nesting_is_bounded():
    space = gym("Discrete", n=1)
    for _ in range(MAX_DEPTH + 1):
        space = gym("Tuple", spaces=(space,))
    assert [note.kind for note in describe(space)[1]] == ["unknown-space"]


def test_shapes_of_observations():
    box = spaces.Box(-1.0, 1.0, (2, 3))
    assert observation_shapes(described(box)) == {"": [2, 3]}
    assert observation_shapes(described(spaces.Discrete(2))) == {"": []}
    assert observation_shapes(described(spaces.MultiDiscrete([2, 2]))) == {"": [2]}
    assert observation_shapes(described(spaces.Dict(a=box, b=spaces.MultiBinary(2)))) == {
        "a": [2, 3],
        "b": [2],
    }
    assert observation_shapes({"type": "unknown", "class": "x"}) == {}


def test_random_states_are_found_at_every_depth():
    inner = spaces.Discrete(2)
    inner.seed(0)
    space = spaces.Dict(a=spaces.Tuple((inner,)))
    assert list(random_states(inert(space), "s")) == ["s.a.0._np_random"]


def test_numbers_of_every_kind():
    for dtype in (*DTYPES, np.bool_):
        array = np.array([[0, 1], [1, 1]], dtype)
        made = NdArray(array.dtype.newbyteorder("<").str, array.shape, array.tobytes())
        assert values(made) == array.ravel().tolist()
        assert uniform(made) is None
    assert uniform(NdArray("<f4", (2,), np.full(2, 0.1, np.float32).tobytes())) == float(np.float32(0.1))
    assert uniform(NdArray("<U1", (1,), b"abcd")) is None
    assert number(NdArray("<f8", (), np.float64(0.1).tobytes())) == 0.1
    assert number("1") is None
    assert integers([1, 2]) == [1, 2]
    assert integers([1, 2.5]) is None
    with pytest.raises(ValueError, match="plain numbers"):
        values(NdArray("<c8", (1,), b"\0" * 8))
    with pytest.raises(ValueError, match="shape"):
        values(NdArray("<f4", (3,), b"\0" * 8))
