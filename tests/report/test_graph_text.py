"""The tree in the terminal."""

import re
from time import perf_counter

import pytest

from ckptkit.model.architecture import Graph, ValueType
from ckptkit.report.graph_text import lines
from ckptkit.report.styled import columns, render
from tests.report.graphs import (
    GOLDEN,
    HOSTILE,
    HOSTILE_NAMES,
    IMAGES,
    PICTURES,
    drawn,
    linear,
    plain,
    renderings,
)

ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("name", PICTURES)
def test_every_form_of_every_picture_is_as_it_was(name: str) -> None:
    for file, text in renderings(name).items():
        assert text == (GOLDEN / file).read_text(encoding="utf-8"), file


def test_there_are_goldens_of_nothing_else() -> None:
    known = {file for name in PICTURES for file in renderings(name)}
    assert known == {path.name for path in GOLDEN.glob("graph_*")}
    assert len(known) >= 16


@pytest.mark.parametrize("width", [30, 60, 80, 100])
@pytest.mark.parametrize("name", ["images", "recurrent", "squashed"])
def test_lines_end_at_the_width_of_the_terminal_and_no_name_is_cut(name: str, width: int) -> None:
    picture = PICTURES[name]
    assert picture.outline
    shown = ["".join(text for text, _ in one).rstrip() for one in lines(picture, width)]
    names = [block.name for block in picture.outline.blocks]
    for row in shown[1:]:
        long_word = any(len(word) > width // 2 for word in row.split())
        assert columns(row) <= width or long_word or any(each in row for each in names), row
    for each in names:
        assert any(each in row for row in shown)


def test_nothing_is_wrapped_without_a_terminal() -> None:
    for picture in PICTURES.values():
        plain_lines = list(lines(picture))
        assert len(plain_lines) <= len(list(lines(picture, 60)))
        assert plain_lines == list(lines(picture, 1000))


def test_colour_changes_no_word() -> None:
    for picture in PICTURES.values():
        plain_text = render(lines(picture), color=False)
        coloured = ANSI.sub("", render(lines(picture), color=True))
        assert [row.rstrip() for row in coloured.splitlines()] == plain_text.splitlines()


def test_a_hostile_name_cannot_move_the_cursor_or_forge_a_line() -> None:
    text = render(lines(drawn(HOSTILE, "t\x1b[2J\nx")), color=False)
    assert len(text.splitlines()) == 1 + len(HOSTILE_NAMES) + 2
    assert not set(text) & set("\x1b\u202e")


def test_a_deep_network_is_drawn_without_recursion() -> None:
    layers, x = [], "x"
    for index in range(3000):
        layers += [linear(f"l{index}", x, (2, 2)), plain(f"s{index}", "Add", f"l{index}", x)]
        x = f"s{index}"
    graph = Graph({"x": ValueType("F32", (None, 2))}, tuple(layers), {"y": x})
    picture = drawn(graph)
    started = perf_counter()
    assert len(list(lines(picture))) > 6000
    assert perf_counter() - started < 10


def test_a_block_that_takes_several_values_stands_below_one_and_the_others_go_into_it() -> None:
    graph = Graph(
        {"a": ValueType("F32", (None, 2)), "b": ValueType("F32", (None, 3))},
        (plain("both", "Concat", "a", "b"), linear("net", "both", (5, 1))),
        {"y": "net"},
    )
    assert render(lines(drawn(graph)), color=False).splitlines()[1:] == [
        "a       input           F32[batch, 2]",
        "↓ both  preprocessing   Concat to 5 · with b",
        "↓ net   head            5 → 1 · 6 parameters",
        "↓ y     output          F32[batch, 1]",
        "b       input           F32[batch, 3] · into both",
    ]


def test_the_summary_counts_what_is_used_and_what_is_not() -> None:
    assert render(lines(drawn(IMAGES)), color=False).splitlines()[0].endswith(" · 40,030 parameters")
    first = render(lines(PICTURES["squashed"]), color=False).splitlines()[0]
    assert first.endswith(" · 1,379 parameters · 630 more not used for outputs")
