"""Search an input on which two networks of the same tensors give different outputs."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ckptkit.graph import evaluation, onnx_model
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.counterexample import Counterexample
from ckptkit.model.extras import require
from ckptkit.model.recovered import Hints
from ckptkit.recovery.counterexample import Ambiguity, ambiguities
from ckptkit.writers.conformance import TORCH, default_evaluator
from ckptkit.writers.observations import observations

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Arrays = dict[str, Array]

SEEDS = 2
MAX_PAIRS = 8
MAX_NUMBERS = 1 << 20
"""Numbers of one observation that is tried."""
MAX_SHOWN = 4096
"""Numbers of an input, or of an output, that are written out; beyond them the seed tells it."""


def counterexamples(checkpoint: Checkpoint, hints: Hints) -> tuple[Counterexample, ...]:
    """Return one result for each open field for which two graphs could be built.

    Raises:
        MissingExtraError: Neither torch nor onnx is installed.
    """
    if default_evaluator() != TORCH:
        require("onnx", "evaluating two networks", "onnx")
    found: dict[str, Counterexample] = {}
    for index, ambiguity in enumerate(ambiguities(checkpoint, hints)):
        if index >= MAX_PAIRS:
            break
        before = found.get(ambiguity.field)
        if before is None or before.largest is None:
            found[ambiguity.field] = _search(checkpoint, ambiguity, before.inputs if before else 0)
    return tuple(found.values())


def _search(checkpoint: Checkpoint, ambiguity: Ambiguity, before: int) -> Counterexample:
    """Return the input of the largest difference; none where all that were tried agree."""
    tried = before
    best: tuple[float, str, int, int, Arrays, Arrays, Arrays] | None = None
    for seed in range(SEEDS):
        feeds = _feeds(checkpoint, ambiguity, seed)
        if feeds is None:
            break
        tried += len(next(iter(feeds[0].values())))
        one = _run(ambiguity.first.graph, checkpoint, feeds[0])
        other = _run(ambiguity.second.graph, checkpoint, feeds[1])
        for name, row, apart in _apart(one, other):
            if apart > (best[0] if best else 0.0):
                best = apart, name, seed, row, feeds[1], one, other
        if best:
            break
    result = Counterexample(
        name=ambiguity.field,
        first=ambiguity.first.value,
        second=ambiguity.second.value,
        question=ambiguity.question,
        inputs=tried,
        evaluator=default_evaluator(),
    )
    return _described(result, best) if best else result


def _described(
    result: Counterexample, best: "tuple[float, str, int, int, Arrays, Arrays, Arrays]"
) -> Counterexample:
    apart, name, seed, row, feed, one, other = best
    return replace(
        result,
        output=name,
        largest=apart,
        seed=seed,
        row=row,
        shapes={key: list(value.shape[1:]) for key, value in feed.items()},
        input={key: _written(value[row]) for key, value in feed.items()},
        outputs=(_written(one[name][row]), _written(other[name][row])),
    )


def _written(value: "Array") -> object:
    return value.tolist() if value.size <= MAX_SHOWN else None


def _feeds(checkpoint: Checkpoint, ambiguity: Ambiguity, seed: int) -> "tuple[Arrays, Arrays] | None":
    """Return the same inputs for both graphs; None where they take different things altogether.

    Where one takes larger images than the other, the smaller one gets their upper left corner; where
    both take as many numbers, the same ones in row-major order.
    """
    import numpy as np

    first, second = ambiguity.first.graph, ambiguity.second.graph
    if set(first.inputs) != set(second.inputs):
        return None
    if max(_count(first), _count(second)) > MAX_NUMBERS:
        return None
    swapped = _count(first) > _count(second)
    large, small = (first, second) if swapped else (second, first)
    feed = observations(large, checkpoint.spaces, seed)
    cut = {}
    for name, value in feed.items():
        wanted = small.inputs[name].shape
        sizes = tuple(value.shape[i] if size is None else size for i, size in enumerate(wanted))
        if value.size == int(np.prod(sizes)):
            cut[name] = np.ascontiguousarray(value.reshape(sizes))
        elif len(sizes) == value.ndim and all(a <= b for a, b in zip(sizes, value.shape, strict=True)):
            cut[name] = np.ascontiguousarray(value[tuple(slice(size) for size in sizes)])
        else:
            return None
    return (feed, cut) if swapped else (cut, feed)


def _count(graph: Graph) -> int:
    """Return the numbers of one observation."""
    return sum(math.prod(size or 1 for size in value.shape) for value in graph.inputs.values())


def _run(graph: Graph, checkpoint: Checkpoint, feed: "Arrays") -> "Arrays":
    if default_evaluator() == TORCH:
        return evaluation.by_torch(graph, checkpoint.tensors, feed)
    return evaluation.by_reference(onnx_model.build(graph, checkpoint.tensors), feed)


def _apart(one: "Arrays", other: "Arrays") -> "Iterator[tuple[str, int, float]]":
    """Yield for each output that both have the row that is furthest apart, and how far.

    Outputs of different shapes are infinitely far apart; those that are not numbers count nothing.
    """
    import numpy as np

    for name in one:
        a, b = one[name], other.get(name)
        if b is None:
            continue
        if a.shape != b.shape:
            yield name, 0, float("inf")
        elif a.dtype.kind == "f":
            apart = np.abs(a.astype(np.float64) - b).reshape(len(a), -1).max(axis=1, initial=0.0)
            apart = np.where(np.isfinite(apart), apart, 0.0)
            yield name, int(apart.argmax()), float(apart.max(initial=0.0))
