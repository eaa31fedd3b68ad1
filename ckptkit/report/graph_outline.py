"""The outline of a network that every picture draws: layers in blocks, from inputs to outputs.

Pure: a graph in, blocks out. Runs of layers that nothing else takes from become one block (a
Sequential with its activations, a chain of scaling steps); layers that no output depends on are
folded, one block a module.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ckptkit.graph.shapes import Step, infer, reference
from ckptkit.model.architecture import Graph, ValueType
from ckptkit.report import graph_words as words

ACTIVATIONS = frozenset(
    [
        *("CELU", "ELU", "GELU", "GLU", "LeakyReLU", "Mish", "ReLU", "ReLU6", "SELU", "SiLU", "Softplus"),
        *("Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LogSigmoid", "Sigmoid", "Softshrink"),
        *("Softsign", "Tanh", "Tanhshrink"),
    ]
)
SEQUENTIAL_TYPES = ACTIVATIONS | {
    *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "MaxPool1d", "MaxPool2d"),
    *("ConstantPad1d", "ConstantPad2d", "Dropout", "Flatten", "Identity"),
}
"""Layers without parameters that a Sequential may hold between those with parameters."""


class Kind(StrEnum):
    """What part of the network a block is; its value is the word in the legend."""

    INPUT = "input"
    PREPROCESSING = "preprocessing"
    NETWORK = "network"
    HEAD = "head"
    POSTPROCESSING = "postprocessing"
    OUTPUT = "output"
    UNUSED = "not used for outputs"


@dataclass(frozen=True, slots=True)
class Take:
    """Where a block takes a value from.

    Attributes:
        block: Index of the block that gives it.
        output: Which of that block's outputs it is; 0 but for recurrent layers.
    """

    block: int
    output: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """One box of a picture, one line of a tree.

    Attributes:
        name: Of an input or output; else the path of the module, or of the last layer.
        words: What it does, in one phrase.
        gives: Type of the value that it gives; None for what is folded.
        takes: Each value that it takes.
        parameters: Number of trainable elements; buffers are not counted.
        layers: Names of its layers, in order.
        shared_by: Other module paths that hold the same tensors.
        sizes: What flows through layers with parameters, as `words` shows it.
        types: Layer types that the sizes do not show.
    """

    name: str
    kind: Kind
    words: str
    gives: ValueType | None = None
    takes: tuple[Take, ...] = ()
    parameters: int = 0
    layers: tuple[str, ...] = ()
    shared_by: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """A network as blocks.

    Attributes:
        blocks: Inputs, layers and outputs, each after those that it takes from.
        unused: What no output depends on, folded.
    """

    blocks: tuple[Block, ...]
    unused: tuple[Block, ...]

    @property
    def parameters(self) -> int:
        """Number of trainable elements that outputs depend on."""
        return sum(block.parameters for block in self.blocks)


def outline(graph: Graph) -> Outline:
    """Return the outline of a graph.

    Raises:
        ArchitectureError: The graph is not well formed.
    """
    steps = infer(graph)
    givers = {
        reference(step.layer.name, index): step.layer.name
        for step in steps
        for index in range(len(step.gives))
    }
    live = _live(steps, graph, givers)
    runs = _runs([step for step in steps if step.layer.name in live], graph, givers)
    dead = _runs([step for step in steps if step.layer.name not in live], graph, givers)
    taken = {*graph.outputs.values(), *(value for run in runs for value in run[0].layer.inputs)}
    stray = [
        Block(name, Kind.UNUSED, f"input {value}")
        for name, value in graph.inputs.items()
        if name not in taken
    ]
    folded = _folded(dead, {run[0].layer.name.split(".")[0] for run in runs})
    inputs = {name: value for name, value in graph.inputs.items() if name in taken}
    return Outline(_blocks(replace(graph, inputs=inputs), runs), (*stray, *folded))


def main_way(blocks: Sequence[Block], output: int) -> list[int]:
    """Return the blocks from an input to `output` on which most parameters lie, each by its index."""
    givers = main_givers(blocks)
    way = [output]
    while (giver := givers[way[-1]]) is not None:
        way.append(giver)
    return way[::-1]


def main_givers(blocks: Sequence[Block]) -> list[int | None]:
    """Return, for each block, the one it takes from behind which most parameters lie; None for inputs."""
    most: list[int] = []
    givers: list[int | None] = []
    for block in blocks:
        giver = max((take.block for take in block.takes), key=most.__getitem__, default=None)
        givers.append(giver)
        most.append(block.parameters + (most[giver] if giver is not None else 0))
    return givers


def _live(steps: Sequence[Step], graph: Graph, givers: Mapping[str, str]) -> set[str]:
    """Return the layers that an output depends on; `givers` maps values to layers."""
    wanted = {givers.get(value) for value in graph.outputs.values()}
    for step in reversed(steps):
        if step.layer.name in wanted:
            wanted.update(givers.get(value) for value in step.layer.inputs)
    return {name for name in wanted if name is not None}


def _runs(steps: Sequence[Step], graph: Graph, givers: Mapping[str, str]) -> list[list[Step]]:
    """Join each step with the run that ends in the one value it takes, where nothing else takes that."""
    uses = Counter(givers.get(value, value) for step in steps for value in step.layer.inputs)
    uses.update(givers.get(value, value) for value in graph.outputs.values())
    runs: dict[str, list[Step]] = {}
    found = []
    for step in steps:
        inputs = step.layer.inputs
        run = runs.get(inputs[0]) if len(inputs) == 1 and uses[inputs[0]] == 1 else None
        if run is None or not _belongs(step, run):
            run = []
            found.append(run)
        run.append(step)
        runs[step.layer.name] = run
    return found


def _belongs(step: Step, run: Sequence[Step]) -> bool:
    owned = _owned(run)
    if not owned:
        return not _owned([step])
    if _owned([step]):
        return "." in step.layer.name and _parent(step.layer.name) == _parent(owned[-1].layer.name)
    path = _parent(owned[-1].layer.name) or owned[-1].layer.name
    inside = step.layer.name.startswith((f"{path}.", f"{path}/"))
    return inside and step.kind.type in SEQUENTIAL_TYPES


def _owned(steps: Iterable[Step]) -> list[Step]:
    """Return the steps that own tensors."""
    return [step for step in steps if step.kind.parameters(step.attrs)]


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


def _blocks(graph: Graph, runs: Sequence[Sequence[Step]]) -> tuple[Block, ...]:
    blocks = [Block(name, Kind.INPUT, "", value) for name, value in graph.inputs.items()]
    places = {name: Take(index) for index, name in enumerate(graph.inputs)}
    types = dict(graph.inputs)
    for run in runs:
        takes = tuple(places[taken] for taken in run[0].layer.inputs)
        for step in run:
            for index, given in enumerate(step.gives):
                places[reference(step.layer.name, index)] = Take(len(blocks), index)
                types[reference(step.layer.name, index)] = given
        blocks.append(replace(_block(run), takes=takes))
    blocks = _with_kinds(blocks)
    for name, value in graph.outputs.items():
        blocks.append(Block(name, Kind.OUTPUT, "", types[value], (places[value],)))
    return tuple(blocks)


def _block(run: Sequence[Step]) -> Block:
    owned = _owned(run)
    gives = run[-1].gives[0]
    names = tuple(step.layer.name for step in run)
    if not owned:
        return Block(names[-1], Kind.POSTPROCESSING, words.plain(run), gives, layers=names)
    return Block(
        _title(owned),
        Kind.NETWORK,
        words.parametric(run),
        gives,
        parameters=sum(_trainable(step) for step in owned),
        layers=names,
        shared_by=_shared_by(owned),
        sizes=words.sizes(run),
        types=words.types(run),
    )


def _title(owned: Sequence[Step]) -> str:
    """Return the module path of a run: `net` for `net.0`, `net.2`; `net.{fc,out}` for names of their own."""
    names = [step.layer.name for step in owned]
    parent = _parent(names[0])
    lasts = [name[len(parent) :].lstrip(".") for name in names]
    if all(last.isdecimal() for last in lasts):
        return parent or names[0]
    return names[0] if len(names) == 1 else f"{parent}.{{{','.join(lasts)}}}"


def _shared_by(owned: Sequence[Step]) -> tuple[str, ...]:
    """Return the alias paths of a run, without the index in a Sequential."""
    paths: dict[str, None] = {}
    for step in owned:
        for alias in step.layer.aliases:
            last = alias.rpartition(".")[2]
            paths[_parent(alias) if last.isdecimal() and _parent(alias) else alias] = None
    return tuple(paths)


def _trainable(step: Step) -> int:
    return sum(math.prod(one.shape) for _, one in step.parameters() if not one.buffer)


def _with_kinds(blocks: Sequence[Block]) -> list[Block]:
    """Tell apart what comes before, between and after the layers with parameters."""
    below = [False] * len(blocks)
    behind: list[bool] = []
    for block in blocks:
        behind.append(any(behind[take.block] or bool(blocks[take.block].sizes) for take in block.takes))
    for index in reversed(range(len(blocks))):
        for take in blocks[index].takes:
            below[take.block] |= below[index] or bool(blocks[index].sizes)
    return [
        replace(block, kind=_kind(block, behind[index], below[index])) for index, block in enumerate(blocks)
    ]


def _kind(block: Block, behind: bool, below: bool) -> Kind:
    if block.kind is Kind.INPUT:
        return block.kind
    if block.sizes:
        return Kind.NETWORK if below or not block.takes else Kind.HEAD
    if not behind:
        return Kind.PREPROCESSING
    return Kind.NETWORK if below else Kind.POSTPROCESSING


def _folded(runs: Sequence[Sequence[Step]], live: set[str]) -> list[Block]:
    """Fold what no output depends on: one block a module, of the top level where all of it is unused."""
    folds: dict[str, list[Block]] = {}
    for run in runs:
        if _owned(run):
            block = _block(run)
            top = block.name.split(".")[0]
            folds.setdefault(block.name if top in live else top, []).append(block)
    return [_fold(name, parts) for name, parts in folds.items()]


def _fold(name: str, parts: Sequence[Block]) -> Block:
    counts = Counter(part.words for part in parts)
    says = [f"{count} networks, each {said}" if count > 1 else said for said, count in counts.items()]
    return Block(
        name,
        Kind.UNUSED,
        "; ".join(says),
        parameters=sum(part.parameters for part in parts),
        layers=tuple(layer for part in parts for layer in part.layers),
        shared_by=tuple(dict.fromkeys(path for part in parts for path in part.shared_by)),
    )
