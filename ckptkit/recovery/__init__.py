"""Recover an architecture: families, one module or package each, exactly one of which claims a file."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.naming import RENAMED
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.recovery import profiles
from ckptkit.recovery.exported import held_to_graph
from ckptkit.recovery.relations import Misfit

if TYPE_CHECKING:
    from ckptkit.recovery.counterexample import Ambiguity


NAMED = 3
"""So many tensors a question names."""


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of network whose architecture follows from what its files hold.

    Attributes:
        id: Stable name.
        claims: Whether a checkpoint is of this family.
        recover: Its architecture, with a graph where nothing stays open.
        why_not: The first relation that keeps a checkpoint from being of this family; None where the
            family goes by the file's own words alone.
        alternatives: Pairs of graphs for fields that no hint can set, beside the graph that was reached; what
            hints can set needs none.
    """

    id: str
    claims: Callable[[Checkpoint], bool]
    recover: Callable[[Checkpoint, Hints], Recovered]
    why_not: Callable[[Checkpoint], Misfit | None] | None = None
    alternatives: "Callable[[Checkpoint, Recovered], Iterator[Ambiguity]] | None" = None


@cache
def families() -> tuple[Family, ...]:
    """Return every family, sorted by id."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    found = (getattr(module, "FAMILY", None) for module in modules)
    return tuple(sorted((family for family in found if family), key=lambda family: family.id))


def recover(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return what can be known of a checkpoint's architecture.

    Args:
        checkpoint: What was read; small tensors may be looked into.
        hints: What the user vouches for.

    Returns:
        Family `generic` where none claims it; without a family and without a graph where more than one does.

    Raises:
        UsageError: A hint names a profile that does not exist.
    """
    profiles.check(hints.assume)
    if renamed := _renamed(checkpoint):
        return _unnamed(checkpoint, renamed)
    return held_to_graph(checkpoint, _recovered(checkpoint, hints))


def _recovered(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    claims = [family for family in families() if family.claims(checkpoint)]
    if len(claims) == 1:
        return claims[0].recover(checkpoint, hints)
    everything = tuple(checkpoint.tensors)
    if claims:
        names = ", ".join(family.id for family in claims)
        question = f"which of {names} is it? more than one family claims it"
        return Recovered(family="", questions=(question,), unexplained=everything)
    if everything:
        from ckptkit.recovery import generic

        return generic.recover(checkpoint, hints)
    question = "which network is it? no family claims it, and it has no tensors"
    return Recovered(family="", questions=(question,))


def _renamed(checkpoint: Checkpoint) -> list[str]:
    """Return the tensors whose names are not the network's, in the order of the file."""
    stated = checkpoint.model_config.get(RENAMED)
    renamed = (
        {name for name in stated if isinstance(name, str)} if isinstance(stated, list | tuple) else set()
    )
    return [name for name in checkpoint.tensors if name in renamed]


def _unnamed(checkpoint: Checkpoint, renamed: list[str]) -> Recovered:
    """Return the answer where names are not the network's: without those, the others prove nothing."""
    more = f" and {len(renamed) - NAMED} more" if len(renamed) > NAMED else ""
    question = (
        f"which parameters are {', '.join(renamed[:NAMED])}{more}? an exporter named, turned or merged them"
    )
    return Recovered(family="generic", questions=(question,), unexplained=tuple(checkpoint.tensors))


def rejections(checkpoint: Checkpoint) -> dict[str, Misfit]:
    """Return why each family that does not claim a checkpoint does not, by family."""
    found = {}
    for family in families():
        if family.claims(checkpoint):
            continue
        misfit = family.why_not(checkpoint) if family.why_not is not None else None
        found[family.id] = misfit or Misfit("", "the file does not say that it is one")
    return found
