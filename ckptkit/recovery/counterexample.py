"""Two networks that load the same tensors, for a field that they leave open.

A first graph is reached by words that a user could give: profiles and input shapes. The second differs from
it in one field. Families may supply pairs of their own (`Family.alternatives`); all others come from here.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ckptkit.errors import ArchitectureError
from ckptkit.graph.shapes import infer, misfits
from ckptkit.model.architecture import Graph, Layer
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered, Status

MAX_WORDS = 4
"""Profiles and shapes that are added to what the user gave, to reach a first graph."""
MAX_SHAPES = 12
MAX_STRIDES = 6
MOST_STRIDES = 400
ACTIVATIONS = ("ReLU", "Tanh")
OPEN = (Status.CONSTRAINED, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One graph of a pair.

    Attributes:
        value: What the field is in it.
        graph: A graph that the tensors fit exactly.
    """

    value: str
    graph: Graph


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """A field with two values that fit.

    Attributes:
        field: Its name.
        first: With one value.
        second: With the other, and everything else the same.
        question: What settles it, with the flag to give where there is one.
    """

    field: str
    first: Candidate
    second: Candidate
    question: str


def ambiguities(checkpoint: Checkpoint, hints: Hints) -> Iterator[Ambiguity]:
    """Yield pairs of graphs for fields that are open; nothing where no graph can be reached.

    Args:
        checkpoint: Its tensors are looked at as `recover` does.
        hints: What the user vouches for.
    """
    from ckptkit import recovery

    found = recovery.recover(checkpoint, hints)
    if found.graph is not None:
        return
    reached = _reach(checkpoint, hints, found)
    if reached is None or reached[1].graph is None:
        return
    words, whole = reached
    graph = reached[1].graph
    added = tuple(name for name in words.assume if name not in hints.assume)
    yield from _activations(checkpoint, found, graph, added)
    for family in recovery.families():
        if family.id == found.family and family.alternatives is not None:
            yield from family.alternatives(checkpoint, whole)
    yield from _strides(checkpoint, found, graph)
    yield from _hinted(checkpoint, hints, words, whole)


def _reach(checkpoint: Checkpoint, hints: Hints, found: Recovered) -> tuple[Hints, Recovered] | None:
    """Return words that lead to a graph, each of which leaves fewer questions than there were before."""
    from ckptkit import recovery

    for _ in range(MAX_WORDS):
        best = hints, found
        for more in _further(hints, best[1]):
            tried = recovery.recover(checkpoint, more)
            if tried.graph is not None:
                return more, tried
            if tried.family == found.family and len(tried.questions) < len(best[1].questions):
                best = more, tried
        if best[1] is found:
            return None
        hints, found = best
    return None


def _further(hints: Hints, found: Recovered) -> Iterator[Hints]:
    """Yield the words with one more: first a profile of the family's own, then others, then shapes."""
    from ckptkit import recovery

    names = sorted(recovery.profiles.names(), key=lambda name: (name != found.family, name != "relu", name))
    for name in names:
        if name not in hints.assume:
            yield replace(hints, assume=(*hints.assume, name))
    if hints.input_shape is None:
        for shape in _shapes(found):
            yield replace(hints, input_shape=shape)


def _shapes(found: Recovered) -> list[tuple[int, ...]]:
    """Return input shapes that the fields list as such."""
    said = found.config.get("input_shape")
    values = [said.value, *said.alternatives] if said is not None else []
    plain = [tuple(one) for one in values if isinstance(one, list | tuple)]
    fit = [one for one in plain if one and all(isinstance(size, int) and size > 0 for size in one)]
    return list(dict.fromkeys(fit))[:MAX_SHAPES]


def _open(found: Recovered, word: str) -> str:
    """Return the name of an open field that has `word` in its name; empty where none is."""
    return next((name for name, one in found.config.items() if word in name and one.status in OPEN), "")


def _pair(
    checkpoint: Checkpoint, field: str, first: Candidate, second: Candidate, question: str
) -> Iterator[Ambiguity]:
    """Yield the pair if the tensors fit both graphs exactly."""
    if first.graph != second.graph and fits(checkpoint, first.graph) and fits(checkpoint, second.graph):
        yield Ambiguity(field, first, second, question)


def fits(checkpoint: Checkpoint, graph: Graph) -> bool:
    """Whether the tensors load strictly: each is used, none is missing, all shapes agree."""
    try:
        return not any(misfits(infer(graph), checkpoint.tensors))
    except ArchitectureError:
        return False


def _activations(
    checkpoint: Checkpoint, found: Recovered, graph: Graph, added: Sequence[str]
) -> Iterator[Ambiguity]:
    field = _open(found, "activation")
    present = [kind for kind in ACTIVATIONS if any(layer.type == kind for layer in graph.layers)]
    if not field or not present:
        return
    first = present[0]
    second = ACTIVATIONS[1 - ACTIVATIONS.index(first)]
    layers = tuple(replace(layer, type=second) if layer.type == first else layer for layer in graph.layers)
    yield from _pair(
        checkpoint,
        field,
        Candidate(first, graph),
        Candidate(second, replace(graph, layers=layers)),
        f"{first} or {second}?" + "".join(f" (--assume {name} says {first})" for name in added[:1]),
    )


def _strides(checkpoint: Checkpoint, found: Recovered, graph: Graph) -> Iterator[Ambiguity]:
    """Yield other strides of the first two convolutions that leave as many features."""
    field = _open(found, "stride")
    convs = [layer for layer in graph.layers if layer.type == "Conv2d"][:2]
    kernels = [_along(layer, "kernel_size") for layer in convs]
    if not field or not convs or math.prod(kernels) > MOST_STRIDES:
        return
    given, count = [_along(layer, "stride") for layer in convs], 0
    for strides in _products(kernels):
        if list(strides) == given or count >= MAX_STRIDES:
            continue
        changed = {c.name: [s, s] for c, s in zip(convs, strides, strict=True)}
        layers = tuple(
            replace(layer, attrs={**layer.attrs, "stride": changed[layer.name]})
            if layer.name in changed
            else layer
            for layer in graph.layers
        )
        words = [",".join(map(str, one)) for one in (given, strides)]
        for pair in _pair(
            checkpoint,
            field,
            Candidate(words[0], graph),
            Candidate(words[1], replace(graph, layers=layers)),
            f"strides {words[0]} or {words[1]} in {' and '.join(changed)}?",
        ):
            count += 1
            yield pair


def _along(layer: Layer, name: str) -> int:
    """Return an attribute of a convolution along its first axis; 1 where it is left out."""
    sizes = layer.attrs.get(name)
    return int(str(sizes[0])) if isinstance(sizes, list | tuple) and sizes else 1


def _products(kernels: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if not kernels:
        yield ()
        return
    for first in range(kernels[0], 0, -1):
        for rest in _products(kernels[1:]):
            yield (first, *rest)


def _hinted(checkpoint: Checkpoint, hints: Hints, words: Hints, whole: Recovered) -> Iterator[Ambiguity]:
    """Yield graphs that other words lead to: another shape, or another profile in place of an added one."""
    for field, shape in _others(whole) if hints.input_shape is None else ():
        sides = ",".join(map(str, shape))
        flag = f"(give --input-shape {{}} or --input-shape {sides})"
        yield from _told(checkpoint, whole, replace(words, input_shape=shape), field, ("", sides), flag)
    from ckptkit import recovery

    for before in (name for name in words.assume if name not in hints.assume):
        for name in recovery.profiles.names():
            if name not in words.assume:
                assume = tuple(name if one == before else one for one in words.assume)
                flag = f"(give --assume {{}} or --assume {name})"
                more = replace(words, assume=assume)
                yield from _told(checkpoint, whole, more, "profile", (before, name), flag)


def _told(
    checkpoint: Checkpoint, whole: Recovered, more: Hints, field: str, values: tuple[str, str], flag: str
) -> Iterator[Ambiguity]:
    """Yield the first graph beside the one that other words lead to."""
    from ckptkit import recovery

    second = recovery.recover(checkpoint, more)
    if whole.graph is None or second.graph is None or second.family != whole.family:
        return
    first = values[0] or ",".join(map(str, _sizes(whole.graph)))
    pair = Candidate(first, whole.graph), Candidate(values[1], second.graph)
    yield from _pair(checkpoint, field, *pair, f"{first} or {values[1]}? {flag.format(first)}")


def _others(whole: Recovered) -> list[tuple[str, tuple[int, ...]]]:
    """Return other input shapes: those listed as such, and those whose sides a field lists."""
    found = [("input_shape", shape) for shape in _shapes(whole)]
    now = _sizes(whole.graph) if whole.graph is not None else ()
    for name, one in whole.config.items():
        if len(now) > 1 and one.value == list(now[1:]):
            sides = [tuple(other) for other in one.alternatives if isinstance(other, list)]
            found += [(name, (now[0], *other)) for other in sides if len(other) == len(now) - 1]
    return [(name, shape) for name, shape in found if shape != now][:MAX_SHAPES]


def _sizes(graph: Graph) -> tuple[int, ...]:
    """Return the shape of the first input, without the batch."""
    return tuple(size or 0 for size in next(iter(graph.inputs.values())).shape[1:])
