"""The networks of an outline in one line: `actor 6→64→64→3 (Tanh) · critic 6→64→64→1 (Tanh)`."""

from collections.abc import Sequence

from ckptkit.report.graph_outline import Block, Kind, Outline, main_way
from ckptkit.report.graph_words import ARROW

ACTOR, CRITIC = "actor", "critic"
ACTION, VALUE = "action", "value"
"""Output names of the contract for ONNX models (`spec/architecture.md`)."""
MAX_OUTPUTS = 3
MAX_SIZES, HEAD_SIZES, TAIL_SIZES = 10, 3, 3
"""With more sizes than the first, a way shows so many at its beginning and end; `--graph` has them all."""


def routes(found: Outline) -> str:
    """Return each way from an input to an output, shortest form.

    The one to `action` is the actor where there is a critic as well, which is the way to `value` or a
    module of that name that no output depends on; else it has the name of the module that all of it is
    in, or of the output.
    """
    outputs = {block.name: index for index, block in enumerate(found.blocks) if block.kind is Kind.OUTPUT}
    critics = [block for block in found.unused if block.name == CRITIC]
    labels = {ACTION: ACTOR if VALUE in outputs or critics else "", VALUE: CRITIC}
    others = [name for name in outputs if name not in labels][:MAX_OUTPUTS]
    wanted = [*([ACTION] if ACTION in outputs else others), *([VALUE] if VALUE in outputs else [])]
    shown = []
    for name in wanted:
        way = [found.blocks[index] for index in main_way(found.blocks, outputs[name])]
        shown.append(_route([block for block in way if block.sizes], labels.get(name, name), name))
    shown += [f"{block.name} {_tight(block.words)}" for block in critics if VALUE not in outputs]
    return " · ".join(route for route in shown if route)


def _route(way: Sequence[Block], label: str, output: str) -> str:
    """Return one way; empty where no layer with parameters lies on it."""
    if not way:
        return ""
    sizes: list[str] = []
    types: dict[str, None] = {}
    for block in way:
        sizes += block.sizes if not sizes or sizes[-1] != block.sizes[0] else block.sizes[1:]
        types |= dict.fromkeys(kind.split(" ")[0] for kind in block.types)
    if len(sizes) > MAX_SIZES:
        sizes = [*sizes[:HEAD_SIZES], f"({len(sizes) - HEAD_SIZES - TAIL_SIZES} more)", *sizes[-TAIL_SIZES:]]
    modules = {block.name.split(".")[0] for block in way}
    name = label or (modules.pop() if len(modules) == 1 else output)
    said = f" ({', '.join(types)})" if types else ""
    return f"{name} {_tight(ARROW.join(sizes))}{said}"


def _tight(words: str) -> str:
    return words.replace(ARROW, ARROW.strip())
