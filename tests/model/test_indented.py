"""Indented JSON is what the standard library writes."""

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptkit.model.indented import indented

TEXTS = st.text(max_size=12)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(DATA)
def test_as_the_standard_library(value: object) -> None:
    assert indented(value) == json.dumps(value, ensure_ascii=False, indent=1)


def test_other_mappings_and_tuples() -> None:
    given_ = MappingProxyType({"shape": (2, 3), "none": ()})
    assert indented(given_) == json.dumps({"shape": [2, 3], "none": []}, indent=1)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": -float("inf")}])
def test_numbers_that_json_lacks(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        indented(value)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", {1: "key"}, object()])
def test_what_is_no_json(value: object) -> None:
    with pytest.raises(TypeError):
        indented(value)
