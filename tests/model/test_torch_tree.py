"""Trees in a torch dict come back as they were."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptkit.model.dict_v2 import decode
from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.model.torch_tree import to_torch
from ckptkit.model.tree import from_json, to_json

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.sampled_from(["$dict", "$tensor", "$"])
    | st.binary(max_size=4)
    | st.complex_numbers(allow_nan=False)
    | st.frozensets(st.integers(), max_size=3).map(set)
    | st.just(ClassRef("a.b", "C"))
)
keys = (
    st.text(max_size=3)
    | st.integers()
    | st.sampled_from(["$dict", "$float"])
    | st.tuples(st.text(max_size=2))
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys | st.binary(max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(trees)
def test_every_tree_comes_back(tree: object) -> None:
    assert decode(to_torch(tree)) == tree


@given(trees)
def test_it_says_what_the_manifest_says(tree: object) -> None:
    assert to_json(decode(to_torch(tree))) == to_json(tree)
    assert to_json(from_json(to_json(tree))) == to_json(tree)


def test_plain_python_stays_plain() -> None:
    tree = {"state": {0: {"step": 1}}, "betas": (0.9, math.inf), "none": None, "big": 2**70}
    assert to_torch(tree) == tree


def test_arrays_and_huge_integers_are_tagged() -> None:
    array = NdArray("<f4", (1,), bytes(4))
    assert to_torch([array, 2**2040]) == [
        {"$ndarray": {"dtype": "<f4", "shape": [1], "data": "AAAAAA=="}},
        {"$int": str(2**2040)},
    ]


@pytest.mark.parametrize(
    "value", [{"$dict": 1}, {"$dict": [[1]]}, {"$dict": [[[], 1]]}, {"$new": 1}, {"$float": "nan", "a": 1}]
)
def test_broken_tags_are_refused(value: object) -> None:
    with pytest.raises(ValueError):
        decode(value)
