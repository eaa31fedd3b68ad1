"""Plain settings in YAML mean what PyYAML makes of them, or are refused with their line."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ckptkit.model.yaml_subset import MAX_COLUMNS, MAX_LINES, YamlError, parse

yaml = pytest.importorskip("yaml")

KEYS = st.text("abcdefgh_", min_size=1, max_size=6).filter(lambda key: yaml.safe_load(key) == key)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False)
    | st.text("abcXYZ 019.:-_#'[]{}~", max_size=12)
)
TREES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=3),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
PIECES = st.sampled_from(
    [
        *"ab1 0.:-#'\"[],{}~\n",
        "\n  ",
        "\n- ",
        "a: ",
        "b: ",
        "true",
        "1.5",
        "1e-4",
        ": ",
        "010",
        "&x",
        "|\n",
        "yes",
    ]
)


@given(st.dictionaries(KEYS, TREES, max_size=4))
@settings(max_examples=150, deadline=None)
def test_what_pyyaml_writes_is_read_the_same_or_refused(tree: dict[str, object]) -> None:
    try:
        found = parse(yaml.safe_dump(tree))
    except YamlError:
        return
    assert found == tree


@given(st.lists(PIECES, max_size=12).map("".join))
@example("a: 1e-4\n")
@example("a:\n- 1\n- b\nb: '#'\n")
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_as_pyyaml_reads_it_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except YamlError:
        return
    assert (yaml.safe_load(text) or {}) == found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", 1),
        ("a: -2.5", -2.5),
        ("a: 1.0e-4", 1e-4),
        ("a: 1e-4", "1e-4"),
        ("a: .inf", math.inf),
        ("a: 'yes'", "yes"),
        ("a: yes # said so", True),
        ("a:", None),
        ("a: [1, 2.5, b, ~]", [1, 2.5, "b", None]),
        ("a:\n  - 1\n  - b", [1, "b"]),
        ("a:\n- 1", [1]),
        ("a:\n  b:\n    c: 0.0", {"b": {"c": 0.0}}),
        ('---\na: "x: y"', "x: y"),
    ],
)
def test_values(text: str, value: object) -> None:
    assert parse(text) == {"a": value}
    assert yaml.safe_load(text) == {"a": value}


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1",
        "a: *x",
        "a: !!python/object:os.system x",
        "a: |\n  text",
        "a: {b: 1}",
        "a: 010",
        "a: 1:30",
        "a: 1_000",
        "a: 0x1f",
        "a: [1, [2]]",
        "a: [1",
        'a: "x\\ty"',
        "a: 'x",
        "a: 1\na: 2",
        "a: 1\n  b: 2",
        "- a: 1\n- b: 2",
        "- 1",
        "just text",
        "a: 1\n---\nb: 2",
        "\ta: 1",
        "a: b: c",
        "a: 1\n" * (MAX_LINES + 1),
        "a: " + "x" * MAX_COLUMNS,
        "".join(f"{' ' * depth}a:\n" for depth in range(40)),
    ],
)
def test_more_than_plain_settings_is_refused(text: str) -> None:
    with pytest.raises(YamlError):
        parse(text)


def test_a_file_of_comments_holds_nothing() -> None:
    assert parse("# nothing\n\n") == {}
