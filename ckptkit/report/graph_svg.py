"""The network of a checkpoint as an SVG picture: boxes in rows, observations at the top, actions below.

Written by hand: no library, no script, no font of its own, the same bytes for the same network. Text
is dark on light and stays text; a box names its layers to whoever points at it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from ckptkit.report.graph_layout import Layout, Point, place
from ckptkit.report.graph_outline import Block, Kind, Outline
from ckptkit.report.graph_picture import Picture
from ckptkit.report.styled import columns, one_line
from ckptkit.report.words import plural

COLOURS = {
    Kind.INPUT: ("#dbeafe", "#3b82f6"),
    Kind.PREPROCESSING: ("#f1f5f9", "#94a3b8"),
    Kind.NETWORK: ("#ede9fe", "#8b5cf6"),
    Kind.HEAD: ("#fef3c7", "#d97706"),
    Kind.POSTPROCESSING: ("#ccfbf1", "#14b8a6"),
    Kind.OUTPUT: ("#dcfce7", "#16a34a"),
    Kind.UNUSED: ("#ffffff", "#94a3b8"),
}
"""Fill and border of a box."""
INK, PALE, PAPER, WIRE = "#1e293b", "#475569", "#ffffff", "#64748b"
FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SIZE, TITLE, ADVANCE, LEADING = 12, 15, 7.3, 17
"""Size of the font, of the title's, the most that one column takes, and from one line to the next."""
PAD_X, PAD_Y, MARGIN = 12, 9, 24
MOST_COLUMNS = 44
"""Width at which the phrases of a box go on in the next line; names are never broken."""
MOST_BLOCKS, MOST_EDGES = 300, 1500
SWATCH = 11
GAP = 26
"""Between legend, boxes and notes."""


@dataclass(frozen=True, slots=True)
class Note:
    """One line below the boxes: a name, and what is said of it from `column` on."""

    name: str
    text: str = ""
    column: int = 0
    heading: bool = False


def svg(drawn: Picture) -> str:
    """Return the picture; where there is no graph, one that says what is open."""
    found = drawn.outline
    if found is not None and (len(found.blocks) > MOST_BLOCKS or len(_edges(found)) > MOST_EDGES):
        question = f"{len(found.blocks):,} blocks are too many to draw; the JSON form has them"
        drawn, found = replace(drawn, outline=None, questions=(question,)), None
    boxes = [_box(block) for block in found.blocks] if found else []
    layout = _layout(found, boxes) if found else Layout((), (), 0, 0)
    legend, notes = _kinds(found) if found else [], _notes(drawn)
    top = MARGIN + 2 * LEADING + (LEADING + GAP if legend else 0)
    texts = [_width(drawn.title) * TITLE / SIZE, _width(_subtitle(drawn)), *map(_note_width, notes)]
    width = max(layout.width, _legend_width(legend), *texts)
    height = top + layout.height + GAP + LEADING * len(notes) + MARGIN
    shift = (width - layout.width) / 2 + MARGIN
    body = [*_heading(drawn), *_legend(legend, MARGIN + 2 * LEADING + 6), *_wires(layout, shift, top)]
    for block, box, corner in zip(found.blocks if found else (), boxes, layout.corners, strict=True):
        body += _drawn(block, box, (corner[0] + shift, corner[1] + top))
    body += _written(notes, top + layout.height + GAP)
    return _document(drawn.title, width + 2 * MARGIN, height, body)


def _document(title: str, width: float, height: float, body: Sequence[str]) -> str:
    tip = (
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"',
        f'  viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONT}" font-size="{SIZE}">',
        f"<title>{_text(f'Network of {title}')}</title>",
        f'<defs>{tip}<path d="M0 0.5 8 4 0 7.5z" fill="{WIRE}"/></marker></defs>',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        *body,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rect(corner: Point, size: Point, kind: Kind, radius: int) -> str:
    (x, y), (width, height), (fill, border) = corner, size, COLOURS[kind]
    place_and_size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place_and_size} rx="{radius}" fill="{fill}" stroke="{border}"/>'


def _label(point: Point, text: str, fill: str = PALE, **style: str) -> str:
    """Return one line of text; in the names of `style` an underscore stands for a hyphen."""
    x, y = point
    more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}"{more}>{_text(text)}</text>'


def _box(block: Block) -> list[str]:
    """Return the lines of a box, its name first."""
    says = [block.words] if block.words else []
    if block.kind in {Kind.INPUT, Kind.OUTPUT}:
        says.append(str(block.gives))
    says += [f"output {take.output}" for take in block.takes if take.output]
    if block.parameters:
        says.append(plural(block.parameters, "parameter"))
    if block.shared_by:
        says.append(f"shared by {', '.join(block.shared_by)}")
    return [one_line(block.name), *(line for phrase in says for line in _wrapped(one_line(phrase)))]


def _wrapped(phrase: str) -> Iterator[str]:
    kept = ""
    for word in phrase.split(" "):
        if kept and columns(kept) + 1 + columns(word) > MOST_COLUMNS:
            yield kept
            kept = word
        else:
            kept = f"{kept} {word}" if kept else word
    yield kept


def _edges(found: Outline) -> list[tuple[int, int]]:
    return [
        (giver, index)
        for index, block in enumerate(found.blocks)
        for giver in dict.fromkeys(take.block for take in block.takes)
    ]


def _layout(found: Outline, boxes: Sequence[Sequence[str]]) -> Layout:
    kinds = [block.kind for block in found.blocks]
    first = {index for index, kind in enumerate(kinds) if kind is Kind.INPUT}
    last = {index for index, kind in enumerate(kinds) if kind is Kind.OUTPUT}
    return place([_size(box) for box in boxes], _edges(found), first=first, last=last)


def _drawn(block: Block, box: Sequence[str], corner: Point) -> Iterator[str]:
    (x, y), (width, height) = corner, _size(box)
    yield "<g>"
    if block.layers:
        yield f"<title>{_text(', '.join(block.layers))}</title>"
    yield _rect(corner, (width, height), block.kind, 6)
    for index, text in enumerate(box):
        at = (x + width / 2, y + PAD_Y + LEADING * index + SIZE)
        if index == 0:
            yield _label(at, text, INK, text_anchor="middle", font_weight="600")
        else:
            yield _label(at, text, text_anchor="middle")
    yield "</g>"


def _size(box: Sequence[str]) -> Point:
    return max(map(_width, box)) + 2 * PAD_X, len(box) * LEADING + 2.0 * PAD_Y


def _wires(layout: Layout, shift: float, top: float) -> Iterator[str]:
    for points in layout.lines:
        (x, y), *rest = [(x + shift, y + top) for x, y in points]
        path = f"M{x:.1f} {y:.1f}"
        for to_x, to_y in rest:
            bend = (to_y - y) / 2
            path += (
                f"L{to_x:.1f} {to_y:.1f}"
                if abs(to_x - x) < 1
                else f"C{x:.1f} {y + bend:.1f} {to_x:.1f} {to_y - bend:.1f} {to_x:.1f} {to_y:.1f}"
            )
            x, y = to_x, to_y
        yield f'<path d="{path}" fill="none" stroke="{WIRE}" stroke-width="1.2" marker-end="url(#tip)"/>'


def _subtitle(drawn: Picture) -> str:
    found = drawn.outline
    count = f" · {plural(found.parameters, 'parameter')}" if found else ""
    return f"{drawn.subtitle}{count}"


def _heading(drawn: Picture) -> Iterator[str]:
    yield _label((MARGIN, MARGIN + 9), drawn.title, INK, font_size=str(TITLE), font_weight="700")
    yield _label((MARGIN, MARGIN + 9 + LEADING), _subtitle(drawn))


def _kinds(found: Outline) -> list[Kind]:
    present = {block.kind for block in found.blocks}
    return [kind for kind in Kind if kind in present]


def _legend(kinds: Sequence[Kind], y: float) -> Iterator[str]:
    x = float(MARGIN)
    for kind in kinds:
        yield _rect((x, y), (SWATCH, SWATCH), kind, 2)
        yield _label((x + SWATCH + 5, y + 10), kind, font_size="11")
        x += _legend_width([kind])


def _legend_width(kinds: Sequence[Kind]) -> float:
    return sum(SWATCH + 5 + len(kind) * 6.8 + 14 for kind in kinds)


def _notes(drawn: Picture) -> list[Note]:
    """Return what is written below the boxes: parts with a heading, an empty line between them."""
    unused = drawn.outline.unused if drawn.outline else ()
    widest = max((columns(one_line(block.name)) for block in unused), default=0) + 2
    parts = {
        "No graph": [Note(text) for text in drawn.questions],
        "Not used for outputs": [_unused(block, widest) for block in unused],
        "Assumed": [Note(text) for text in drawn.assumed],
    }
    notes: list[Note] = []
    for heading, items in parts.items():
        if items:
            notes += [Note(""), Note(heading, heading=True)] if notes else [Note(heading, heading=True)]
            notes += items
    return notes


def _unused(block: Block, column: int) -> Note:
    count = f" · {plural(block.parameters, 'parameter')}" if block.parameters else ""
    return Note(block.name, f"{block.words}{count}", column)


def _written(notes: Sequence[Note], y: float) -> Iterator[str]:
    for index, note in enumerate(notes):
        at = y + LEADING * index + SIZE
        if note.heading:
            yield _label((MARGIN, at), note.name, INK, font_weight="600")
        elif note.name:
            yield _label((MARGIN, at), note.name)
        if note.text:
            yield _label((MARGIN + note.column * ADVANCE, at), note.text)


def _note_width(note: Note) -> float:
    return max(_width(note.name), note.column * ADVANCE + _width(note.text))


def _width(text: str) -> float:
    return columns(one_line(text)) * ADVANCE


def _text(text: str) -> str:
    return escape(one_line(text))
