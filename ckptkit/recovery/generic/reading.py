"""What is known of one module, and the values that its kinds are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ckptkit.layers import FLOATS
from ckptkit.model.recovered import Status
from ckptkit.model.tensor import Tensor
from ckptkit.recovery.generic.grouping import Group
from ckptkit.recovery.relations import MOST_SIZE

Module = Mapping[str, object]
"""Type and attributes of a module: `{"type": "Linear", "in_features": 4, …}`."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the rest of the file says about one module; it ranks candidates, and rules hardly any out.

    Attributes:
        rank: Axes of the nearest weight in front of it that has two or more.
        width: Channels or features behind it, if it is the likeliest module.
        backwards: Whether its name, or another convolution beside it, speaks for a transposed convolution.
        transposed_products: Whether some matrix of the file can only be (in, out).
    """

    rank: int = 0
    width: int = 0
    backwards: bool = False
    transposed_products: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A module as its tensors tell it.

    Attributes:
        group: Its tensors.
        candidates: Every module that fits, the likeliest first.
        status: How sure the first one is.
        unread: Tensors for which no candidate accounts, by their names below the module.
    """

    group: Group
    candidates: tuple[Module, ...]
    status: Status
    unread: tuple[str, ...] = field(default=())

    @property
    def value(self) -> Module | None:
        """The likeliest candidate; None where it is unknown which module it is."""
        return None if self.status is Status.UNKNOWN or not self.candidates else self.candidates[0]

    @property
    def kind(self) -> str:
        """Type of `value`, or nothing."""
        return str(self.value["type"]) if self.value else ""


def module(kind: str, **attrs: object) -> Module:
    """Return a module as data."""
    return {"type": kind, **attrs}


def usual(leaves: Mapping[str, Tensor], names: Iterable[str] = ()) -> bool:
    """Whether tensors are floats of one and the same type, of sizes that networks have."""
    tensors = [leaves[name] for name in names or leaves if name in leaves]
    sizes_fit = all(0 < size <= MOST_SIZE for tensor in tensors for size in tensor.shape)
    return sizes_fit and all(tensor.dtype.name in FLOATS for tensor in tensors)


def shapes(leaves: Mapping[str, Tensor], *names: str) -> list[tuple[int, ...] | None]:
    """Return the shape of each tensor; None for one that is not there."""
    return [leaves[name].shape if name in leaves else None for name in names]


def first(candidates: Sequence[Module], *kinds: str) -> list[Module]:
    """Return candidates with those of `kinds` in front, in the order of `kinds`."""
    order = {kind: at for at, kind in enumerate(kinds)}
    return sorted(candidates, key=lambda one: order.get(str(one["type"]), len(order)))
