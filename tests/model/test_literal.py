"""Expressions of literals and keyword calls; Python's own reading is the oracle."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptkit.model.literal import MAX_CHARACTERS, Call, LiteralError, parse

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
)


@given(trees)
def test_what_repr_writes_comes_back(tree):
    assert parse(repr(tree)) == tree


@given(st.text("[](){}'\"\\,:=.-+ab1e x\n", max_size=12))
def test_whatever_is_accepted_python_reads_alike(text):
    try:
        found = parse(text)
    except LiteralError:
        return
    if "a" not in text and "b" not in text and "x" not in text:
        assert found == ast.literal_eval(text.strip())


def test_calls():
    assert parse("a.b.C(x=1, y=[D()],)") == Call("a.b.C", {"x": 1, "y": [Call("D", {})]})
    assert parse(" f ( a = -inf )") == Call("f", {"a": float("-inf")})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "f(1)",
        "f(a=1, a=2)",
        "f(**x)",
        "f().g",
        "f(a.b=1)",
        "1 + 1",
        "[1 2]",
        "{1}",
        "{[]: 1}",
        "{1: 1, 1: 2}",
        "'a' 'b'",
        "'\\ud800'",
        "'\\U00110000'",
        "'\\q'",
        "-f()",
        "lambda: 0",
        "x if y else z",
        "01x",
        "'open",
        "[" * 100,
        "1" * 500,
        "f(",
        "None()",
        "(1, 2",
        "a..b()",
        "\x00",
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(LiteralError):
        parse(text)


def test_length_is_bounded():
    with pytest.raises(LiteralError, match="longer than"):
        parse(" " * MAX_CHARACTERS + "1")
