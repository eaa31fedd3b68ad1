"""The network of a checkpoint as a Markdown section with a Mermaid flowchart, for READMEs and wikis."""

import re
from collections.abc import Iterator

from ckptkit.report.graph_outline import Block, Kind, Outline
from ckptkit.report.graph_picture import Picture
from ckptkit.report.styled import one_line
from ckptkit.report.words import plural

CLASSES = {
    Kind.INPUT: "fill:#dbeafe,stroke:#3b82f6,color:#1e293b",
    Kind.PREPROCESSING: "fill:#f1f5f9,stroke:#94a3b8,color:#1e293b",
    Kind.NETWORK: "fill:#ede9fe,stroke:#8b5cf6,color:#1e293b",
    Kind.HEAD: "fill:#fef3c7,stroke:#d97706,color:#1e293b",
    Kind.POSTPROCESSING: "fill:#ccfbf1,stroke:#14b8a6,color:#1e293b",
    Kind.OUTPUT: "fill:#dcfce7,stroke:#16a34a,color:#1e293b",
}
PLAIN = frozenset(" ,.:/()[]{}×÷→+−=-_")
"""What a quoted label may hold besides letters and digits; all else is written as an entity code."""
MARKDOWN = re.compile(r"([\\`*_<>\[\]|#&~])")


def markdown(drawn: Picture) -> str:
    """Return the section; where there is no graph, it says what is open."""
    return "\n".join(_lines(drawn)) + "\n"


def _lines(drawn: Picture) -> Iterator[str]:
    found = drawn.outline
    count = f" · {plural(found.parameters, 'parameter')}" if found else ""
    yield from (f"# {_escaped(drawn.title)}", "", _escaped(f"{drawn.subtitle}{count}"))
    if found is not None:
        yield from ("", "```mermaid", *_flowchart(found), "```")
    yield from _list("No graph", drawn.questions)
    yield from _list("Not used for outputs", tuple(map(_unused, found.unused)) if found else ())
    yield from _list("Assumed", drawn.assumed)


def _flowchart(found: Outline) -> Iterator[str]:
    yield "flowchart TD"
    for index, block in enumerate(found.blocks):
        left, right = ("([", "])") if block.kind in {Kind.INPUT, Kind.OUTPUT} else ("[", "]")
        yield f'    b{index}{left}"{"<br/>".join(map(_label, _says(block)))}"{right}:::{block.kind}'
    for index, block in enumerate(found.blocks):
        for take in dict.fromkeys(block.takes):
            arrow = f'-->|"output {take.output}"|' if take.output else "-->"
            yield f"    b{take.block} {arrow} b{index}"
    present = {block.kind for block in found.blocks}
    for kind, style in CLASSES.items():
        if kind in present:
            yield f"    classDef {kind} {style}"


def _says(block: Block) -> Iterator[str]:
    yield block.name
    if block.words:
        yield block.words
    if block.kind in {Kind.INPUT, Kind.OUTPUT}:
        yield str(block.gives)
    if block.parameters:
        yield plural(block.parameters, "parameter")
    if block.shared_by:
        yield f"shared by {', '.join(block.shared_by)}"


def _unused(block: Block) -> str:
    count = f" · {plural(block.parameters, 'parameter')}" if block.parameters else ""
    return f"{block.name}: {block.words}{count}"


def _label(text: str) -> str:
    """Write everything that could end a label or mean something in it as an entity code."""
    return "".join(c if c.isalnum() or c in PLAIN else f"#{ord(c)};" for c in one_line(text))


def _list(heading: str, items: tuple[str, ...]) -> Iterator[str]:
    if items:
        yield from ("", f"{heading}:", "")
        yield from (f"- {_escaped(item)}" for item in items)


def _escaped(text: str) -> str:
    return MARKDOWN.sub(r"\\\1", one_line(text))
