import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model import ijson

REFUSED = [
    (b'{"a": 1, "a": 2}', 'line 1, column 10: duplicate key "a" in the top level'),
    (b'{"x/y": [{}, {"k": 0,\n "\\u006b": 1}]}', 'line 2, column 2: duplicate key "k" in /x~1y/1'),
    (b'{"a": NaN}', "line 1, column 7: NaN is not JSON, at /a"),
    (b"[1, -Infinity]", "line 1, column 5: -Infinity is not JSON, at /1"),
    (b'{"n": 9007199254740992}', "line 1, column 7: integer 9007199254740992 is outside ±(2^53 - 1), at /n"),
    (b"[" + b"9" * 5000 + b"]", "line 1, column 2: integer of 5000 digits, at /0"),
    (b"[1e400]", 'line 1, column 2: number "1e400" is beyond float64, at /0'),
    (b'["\\ud800"]', "line 1, column 2: lone surrogate in a string at /0"),
    (b'{"\\udc00x": 1}', "line 1, column 2: lone surrogate in a key at the top level"),
    (b"\xef\xbb\xbf{}", "line 1, column 1: starts with a byte order mark"),
    (b'{"a": "\xff"}', "byte 7: not UTF-8: invalid start byte"),
    (b"{} {}", "line 1, column 4: Extra data"),
    (b"", "line 1, column 1: Expecting value"),
    (b'{"a": 1,}', "line 1, column 9"),
    (b'["a\nb"]', "line 1, column 4: Invalid control character at"),
    (b"[01]", "line 1, column 3"),
    (b'{"a', "line 1, column 2: Unterminated string"),
    (b"[" * 200, "line 1, column 101: nested more than 100 deep"),
]


@pytest.mark.parametrize(("data", "expected"), REFUSED)
def test_each_kind_is_refused_with_its_place(data: bytes, expected: str) -> None:
    (found,) = ijson.problems(data)
    assert found.startswith(expected)
    with pytest.raises(UnreadableCheckpointError, match=r"line|byte"):
        ijson.parse(data, where="ckpt.json")


def test_all_problems_come_at_once_in_the_order_of_the_text() -> None:
    data = b'{"a": NaN, "b": {"c": 1, "c": 2}, "a": 12345678901234567890, "d": "\\ud83d"}'
    found = ijson.problems(data)
    assert [text.split(": ", 1)[1].split(" ")[0] for text in found] == [
        "NaN",
        "duplicate",
        "duplicate",
        "integer",
        "lone",
    ]
    with pytest.raises(UnreadableCheckpointError) as caught:
        ijson.parse(data, where="here")
    assert all(text in str(caught.value) for text in found)
    assert str(caught.value).startswith("here: ")


def test_problems_are_bounded() -> None:
    found = ijson.problems(b"[" + b"NaN," * 1000 + b"0]")
    assert len(found) == ijson.MAX_PROBLEMS + 1
    assert found[-1] == "and more"


def test_limits_have_their_own_error() -> None:
    with pytest.raises(LimitExceededError, match="at most 3"):
        ijson.parse(b"[1,2]", max_bytes=3)
    with pytest.raises(LimitExceededError, match="nested more than 2 deep"):
        ijson.parse(b"[[[]]]", max_depth=2)
    assert ijson.parse(b"[[]]", max_depth=2) == [[]]
    assert ijson.parse(b'["[[[[", []]', max_depth=2) == ["[[[[", []]


def test_legacy_takes_what_python_writes_and_still_refuses_duplicates() -> None:
    value = {"best": float("-inf"), "seed": 2**70, "low": float("inf")}
    assert ijson.parse(json.dumps(value).encode(), legacy=True) == value
    assert ijson.problems(b'{"a": NaN, "a": 1}', legacy=True) == (
        'line 1, column 12: duplicate key "a" in the top level',
    )


def test_hostile_text_takes_no_time() -> None:
    start = time.perf_counter()
    for data in (b"[" * 4_000_000, b'"\\' * 2_000_000, b'{"a":' * 1_000_000, b"[" + b"1" * 4_000_000 + b"]"):
        assert ijson.problems(data)
    assert time.perf_counter() - start < 5


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(json_values, st.booleans())
def test_whatever_the_standard_library_writes_is_read_alike(value: object, escaped: bool) -> None:
    assert ijson.parse(json.dumps(value, ensure_ascii=escaped).encode()) == value


@settings(max_examples=200, deadline=None)
@given(st.text('{}[]",:\\u0d8 naNIfity1e.-\n', max_size=40))
def test_any_text_gives_a_value_or_problems(text: str) -> None:
    data = text.encode()
    examined = ijson.examine(data)
    if not examined.problems:
        assert examined.value == json.loads(text)
