"""The picture: well-formed, nothing in anything's way, nothing of a name taken for markup."""

from itertools import pairwise
from time import perf_counter
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit.model.architecture import Graph, ValueType
from ckptkit.report.graph_layout import GAP_X, LANE, place
from ckptkit.report.graph_svg import svg
from tests.report.graphs import HOSTILE, HOSTILE_NAMES, PICTURES, UNKNOWN, drawn, linear, plain

SVG = "{http://www.w3.org/2000/svg}"
Network = tuple[list[tuple[float, float]], list[tuple[int, int]]]


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - it was written here


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Boxes, and lines from earlier to later ones."""
    count = draw(st.integers(1, 14))
    sizes = draw(
        st.lists(st.tuples(st.integers(10, 300), st.integers(20, 90)), min_size=count, max_size=count)
    )
    pairs = [(upper, lower) for lower in range(count) for upper in range(lower)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)) if pairs else []
    return [(float(w), float(h)) for w, h in sizes], edges


def ends(network: Network) -> tuple[set[int], set[int]]:
    """Return boxes that take nothing, and boxes that nothing takes."""
    count, edges = len(network[0]), network[1]
    taking, taken = {lower for _, lower in edges}, {upper for upper, _ in edges}
    return set(range(count)) - taking, {box for box in taking if box not in taken}


@settings(deadline=None, max_examples=80)
@given(networks())
def test_no_two_boxes_overlap_and_lines_go_down(network: Network) -> None:
    sizes, edges = network
    first, last = ends(network)
    layout = place(sizes, edges, first=first, last=last)
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(layout.corners, sizes, strict=True)]
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert -0.1 <= left <= right <= layout.width + 0.1
        assert 0 <= top <= bottom <= layout.height + 0.1
        for other in boxes[:index]:
            apart = (right <= other[0], other[2] <= left, bottom <= other[1], other[3] <= top)
            assert any(apart)
    for (upper, lower), points in zip(edges, layout.lines, strict=True):
        assert all(low[1] >= high[1] for high, low in pairwise(points))
        assert points[0][1] == boxes[upper][3]
        assert points[-1][1] == boxes[lower][1]


@settings(deadline=None, max_examples=80)
@given(networks())
def test_a_line_that_passes_a_row_passes_between_its_boxes(network: Network) -> None:
    sizes, edges = network
    first, last = ends(network)
    layout = place(sizes, edges, first=first, last=last)
    for points in layout.lines:
        for x, y in points[1:-1]:
            for (left, top), (width, height) in zip(layout.corners, sizes, strict=True):
                inside = left - GAP_X + LANE / 2 < x < left + width + GAP_X - LANE / 2
                assert not (inside and top < y < top + height)


def test_nothing_is_placed_where_there_is_nothing() -> None:
    layout = place([], [], first=set(), last=set())
    assert (layout.width, layout.height) == (0, 0)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_well_formed_and_everything_is_within_it(name: str) -> None:
    root = parsed(svg(PICTURES[name]))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for box in root.iter(f"{SVG}rect"):
        if box.attrib["width"] != "100%":
            assert float(box.attrib["x"]) >= 0
            assert float(box.attrib["x"]) + float(box.attrib["width"]) <= width
            assert float(box.attrib["y"]) + float(box.attrib["height"]) <= height
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height


def test_names_are_text_and_nothing_else() -> None:
    root = parsed(svg(drawn(HOSTILE, "<title>&")))
    words = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert "<title>&" in words
    for name in HOSTILE_NAMES:
        assert name.replace("\u202e", "\\u202e") in words
    known = {"svg", "title", "defs", "marker", "path", "rect", "g", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == known


def test_a_box_names_its_layers() -> None:
    root = parsed(svg(PICTURES["images"]))
    titles = [element.text for group in root.iter(f"{SVG}g") for element in group.iter(f"{SVG}title")]
    assert "extractor.linear.0, extractor.linear.1" in titles


def test_without_a_graph_it_says_what_is_open() -> None:
    assert "which network is it?" in svg(UNKNOWN)


@pytest.mark.parametrize("wide", [True, False])
def test_what_is_too_large_to_look_at_is_not_drawn(wide: bool) -> None:
    """Many boxes, or few with very many lines between them."""
    layers = [linear(f"l{index}", "x", (2, 2)) for index in range(400 if wide else 60)]
    if not wide:
        layers += [plain(f"c{i}", "Concat", *(layer.name for layer in layers[:60])) for i in range(60)]
    outputs = {f"y{layer.name}": layer.name for layer in layers[-60:]}
    graph = Graph(
        {"x": ValueType("F32", (None, 2))},
        tuple(layers),
        outputs if not wide else {f"y{layer.name}": layer.name for layer in layers},
    )
    started = perf_counter()
    assert "too many to draw" in svg(drawn(graph))
    assert perf_counter() - started < 10


def test_the_largest_that_is_drawn_is_drawn_in_time() -> None:
    layers, x = [], "x"
    for index in range(140):
        layers += [linear(f"l{index}", x, (2, 2)), plain(f"s{index}", "Add", f"l{index}", x)]
        x = f"s{index}"
    graph = Graph({"x": ValueType("F32", (None, 2))}, tuple(layers), {"y": x})
    started = perf_counter()
    root = parsed(svg(drawn(graph)))
    assert len(list(root.iter(f"{SVG}g"))) == 282
    assert perf_counter() - started < 10
