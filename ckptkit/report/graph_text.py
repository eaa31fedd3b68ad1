"""The network of a checkpoint as a tree in the terminal.

What follows one upon another stands below it after an arrow; only where the network forks does the
tree branch. A block that takes several values stands below one of them; the others say that they go
into it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckptkit.report.graph_outline import Block, Kind, Outline, main_givers
from ckptkit.report.graph_picture import Picture
from ckptkit.report.styled import Line, Span, columns, line, one_line
from ckptkit.report.words import plural

STYLES = {
    Kind.INPUT: "input",
    Kind.PREPROCESSING: "dim",
    Kind.NETWORK: "name",
    Kind.HEAD: "head",
    Kind.POSTPROCESSING: "dim",
    Kind.OUTPUT: "good",
    Kind.UNUSED: "dim",
}
DOWN, FORK, LAST = "↓ ", "├─ ", "└─ "
GAP = 2
LABEL = 10
KINDS = max(len(kind) for kind in Kind if kind is not Kind.UNUSED) + GAP
ROOM = 28
"""Fewest columns that phrases are wrapped in behind a name; with less they go on below it."""
INDENT = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree before it is laid out.

    Attributes:
        lead: What the tree draws before the name.
        base: What it draws before a continuation of this row.
        name: Made safe for one line.
        label: The kind, or what stands in its column.
        style: Style of the name.
        says: Phrases behind the name, in order.
    """

    lead: str
    base: str
    name: str
    label: str
    style: str
    says: tuple[str, ...]


def lines(drawn: Picture, width: int | None = None) -> Iterator[Line]:
    """Yield the lines of a picture.

    Args:
        drawn: One network, or why there is none.
        width: Columns of the terminal, at which phrases go on in the next line; None for never. No
            name is ever cut.
    """
    yield line((drawn.title, "name"), f" · {drawn.subtitle}", *_summary(drawn.outline))
    if drawn.outline is not None:
        rows = [*_rows(drawn.outline), *_unused(drawn.outline)]
        longest = max(columns(row.lead + row.name) for row in rows)
        for row in rows:
            yield from _laid_out(row, longest, width)
    for question in drawn.questions:
        yield from _note(("no graph", "warn"), question, width)
    for one in drawn.assumed:
        yield from _note(("assumed", "dim"), one, width)


def _note(label: Span, text: str, width: int | None) -> Iterator[Line]:
    said = [one_line(text)] if width is None else _wrapped([one_line(text)], width - LABEL)
    for index, part in enumerate(said):
        word, style = label if index == 0 else ("", "")
        yield [(f"{word:<{LABEL}}", style), (part, "")]


def _summary(found: Outline | None) -> tuple[str, ...]:
    if found is None:
        return ()
    unused = sum(block.parameters for block in found.unused)
    more = f" · {unused:,} more not used for outputs" if unused else ""
    return (f" · {plural(found.parameters, 'parameter')}{more}",)


def _rows(found: Outline) -> Iterator[Row]:
    blocks = found.blocks
    below, into = _children(blocks)
    waiting = [(index, -1, "", "") for index, block in enumerate(blocks) if not block.takes][::-1]
    while waiting:
        index, parent, lead, base = waiting.pop()
        says = [f"into {', '.join(blocks[other].name for other in into[index])}"] if into[index] else []
        yield _row(blocks, index, parent, says, (lead, base))
        children = below[index]
        for child in reversed(children):
            if len(children) == 1:
                waiting.append((child, index, base + DOWN, base))
            elif child == children[-1]:
                waiting.append((child, index, base + LAST, base + " " * len(LAST)))
            else:
                waiting.append((child, index, base + FORK, base + "│  "))


def _children(blocks: Sequence[Block]) -> tuple[list[list[int]], list[list[int]]]:
    """Return, for each block, those that stand below it, and those that take from it and stand elsewhere."""
    homes = main_givers(blocks)
    below: list[list[int]] = [[] for _ in blocks]
    into: list[list[int]] = [[] for _ in blocks]
    for index, block in enumerate(blocks):
        for giver in dict.fromkeys(take.block for take in block.takes):
            (below if giver == homes[index] else into)[giver].append(index)
    return below, into


def _row(
    blocks: Sequence[Block], index: int, parent: int, more: Sequence[str], drawn: tuple[str, str]
) -> Row:
    block = blocks[index]
    says = [block.words] if block.words else []
    if block.kind in {Kind.INPUT, Kind.OUTPUT}:
        says.append(str(block.gives))
    others = [blocks[take.block].name for take in block.takes if take.block != parent]
    if others:
        says.append(f"with {', '.join(dict.fromkeys(others))}")
    says += [f"output {take.output} of {blocks[take.block].name}" for take in block.takes if take.output]
    phrases = tuple(one_line(phrase) for phrase in (*says, *_facts(block), *more))
    return Row(*drawn, one_line(block.name), str(block.kind), STYLES[block.kind], phrases)


def _facts(block: Block) -> list[str]:
    found = [plural(block.parameters, "parameter")] if block.parameters else []
    return [*found, f"shared by {', '.join(block.shared_by)}"] if block.shared_by else found


def _unused(found: Outline) -> Iterator[Row]:
    if not found.unused:
        return
    yield Row("", "", str(Kind.UNUSED), "", "dim", ())
    for block in found.unused:
        says = tuple(one_line(phrase) for phrase in (block.words, *_facts(block)))
        yield Row("   ", "   ", one_line(block.name), "", "dim", says)


def _laid_out(row: Row, longest: int, width: int | None) -> Iterator[Line]:
    """Yield the row as one line, or as several where `width` is too small for it."""
    label = f"{row.label:<{KINDS}}" if row.label else ""
    pad = " " * (longest - columns(row.lead + row.name) + GAP) if label or row.says else ""
    head: Line = [(row.lead, "dim"), (row.name, row.style), (pad, ""), (label, "dim")]
    said = " · ".join(row.says)
    used = sum(columns(text) for text, _ in head)
    if width is None or used + columns(said) <= width:
        yield [*head, (said, "")]
        return
    indent = used
    if width - used < ROOM:
        yield [*head[:2], ("  ", ""), (row.label, "dim")]
        head, indent = [], columns(row.base) + INDENT
    for text in _wrapped(row.says, width - indent):
        yield [*(head or [(row.base.ljust(indent), "dim")]), (text, "")]
        head = []


def _wrapped(phrases: Sequence[str], room: int) -> Iterator[str]:
    """Yield lines of whole words; a word that is too long gets a line of its own."""
    kept = ""
    for word in " · ".join(phrases).split(" "):
        if kept and columns(kept) + 1 + columns(word) > room:
            yield kept
            kept = word
        else:
            kept = f"{kept} {word}" if kept else word
    if kept:
        yield kept
