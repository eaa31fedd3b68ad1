"""Recover an architecture: families, one module or package each, exactly one of which claims a file."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of network whose architecture follows from what its files hold.

    Attributes:
        id: Stable name.
        claims: Whether a checkpoint is of this family.
        recover: Its architecture, with a graph where nothing stays open.
    """

    id: str
    claims: Callable[[Checkpoint], bool]
    recover: Callable[[Checkpoint, Hints], Recovered]


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
        Without a family and without a graph where none claims it, or more than one does.
    """
    claims = [family for family in families() if family.claims(checkpoint)]
    if len(claims) == 1:
        return claims[0].recover(checkpoint, hints)
    if claims:
        names = ", ".join(family.id for family in claims)
        return Recovered(family="", questions=(f"which of {names} is it? more than one family claims it",))
    return Recovered(family="", questions=("which network is it? no family that ckptkit knows claims it",))
