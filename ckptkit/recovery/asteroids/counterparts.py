"""Actions, or actions times atoms: two networks of the same rows where `support` was lost."""

from collections.abc import Iterator

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Recovered, Status
from ckptkit.recovery.asteroids import network
from ckptkit.recovery.asteroids.reading import read
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.canonical import canonical
from ckptkit.recovery.counterexample import Ambiguity, Candidate, fits
from ckptkit.recovery.image_sizes import divisors

FIELD = "n_atoms"
USUAL = (51, 21)
"""Atoms that are tried first where the rows divide into them."""
ENDS = (-10.0, 10.0)
"""Range of the atoms in the second network; no file says it, and any does."""


def alternatives(checkpoint: Checkpoint, found: Recovered) -> Iterator[Ambiguity]:
    """Yield the network of actions alone beside one with atoms, where nothing says which it is.

    Args:
        checkpoint: One that the family claims.
        found: Its architecture with one value for each action.
    """
    field, shape = found.config.get(FIELD), found.config.get("input_shape")
    if found.graph is None or field is None or field.status is Status.PROVEN or shape is None:
        return
    reading = read(canonical(checkpoint.tensors))
    counts = sorted(divisors(reading.rows)[1:], key=lambda count: (count not in USUAL, count))
    if reading.support is not None or not counts or not isinstance(shape.value, list):
        return
    atoms, actions = counts[0], reading.rows // counts[0]
    step = (ENDS[1] - ENDS[0]) / (atoms - 1)
    values = tuple(ENDS[0] + step * i for i in range(atoms))
    names = reading.names
    builder = GraphBuilder({own: names.tensors[name] for name, own in names.source.items()})
    network.draw(builder, reading, network.Settled(tuple(shape.value), actions, atoms, values))
    second = builder.graph()
    if fits(checkpoint, second):
        words = f"{reading.rows} actions", f"{actions} actions with {atoms} atoms"
        yield Ambiguity(
            FIELD, Candidate(words[0], found.graph), Candidate(words[1], second), f"{words[0]} or {words[1]}?"
        )
