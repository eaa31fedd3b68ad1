"""The networks of an outline in one line: `actor 6→64→64→3 (Tanh) · critic 6→64→64→1 (Tanh)`."""

from collections.abc import Sequence

from ckptkit.report.graph_outline import Block, Kind, Outline
from ckptkit.report.graph_words import ARROW

ACTOR, CRITIC = "actor", "critic"
ACTION, VALUE = "action", "value"
"""Output names of the contract for ONNX models (`spec/architecture.md`)."""
MAX_OUTPUTS = 3


def routes(found: Outline) -> str:
    """Return each way from an input to an output, shortest form.

    The one to `action` is the actor where there is a critic as well, which is the way to `value` or a
    module of that name that no output depends on; else it has the name of its module.
    """
    outputs = {block.name: index for index, block in enumerate(found.blocks) if block.kind is Kind.OUTPUT}
    critics = [block for block in found.unused if block.name == CRITIC]
    named = {ACTION: ACTOR if VALUE in outputs or critics else "", VALUE: CRITIC}
    wanted = [name for name in named if name in outputs] or list(outputs)[:MAX_OUTPUTS]
    shown = [_route(found.blocks, outputs[name], named.get(name, name)) for name in wanted]
    shown += [f"{block.name} {_tight(block.words)}" for block in critics if VALUE not in outputs]
    return " · ".join(route for route in shown if route)


def _route(blocks: Sequence[Block], output: int, label: str) -> str:
    """Return one way; empty where no layer with parameters lies on it."""
    way = [block for block in _way(blocks, output) if block.sizes]
    if not way:
        return ""
    sizes: list[str] = []
    types: dict[str, None] = {}
    for block in way:
        sizes += block.sizes if not sizes or sizes[-1] != block.sizes[0] else block.sizes[1:]
        types |= dict.fromkeys(kind.split(" ")[0] for kind in block.types)
    name = label or way[-1].name.split(".")[0]
    said = f" ({', '.join(types)})" if types else ""
    return f"{name} {_tight(ARROW.join(sizes))}{said}"


def _way(blocks: Sequence[Block], output: int) -> list[Block]:
    """Return the blocks from an input to `output`: where several lead there, the last with parameters."""
    way = [blocks[output]]
    behind = _behind(blocks)
    while way[-1].takes:
        givers = [take.block for take in way[-1].takes]
        chosen = max((giver for giver in givers if behind[giver]), default=givers[0])
        way.append(blocks[chosen])
    return way[::-1]


def _behind(blocks: Sequence[Block]) -> list[bool]:
    """Say of each block whether it, or one that it takes from, has parameters."""
    known: list[bool] = []
    for block in blocks:
        known.append(bool(block.sizes) or any(known[take.block] for take in block.takes))
    return known


def _tight(words: str) -> str:
    return words.replace(ARROW, ARROW.strip())
