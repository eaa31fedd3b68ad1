"""One network of the zoo: how it is made, and what is true of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.recovery.header import Entry, header_of

if TYPE_CHECKING:
    from torch import nn

PROVEN, WITHIN, OPEN = "proven", "within", "open"
"""What a state dict can say of a field (spec/recovery.md): the value; a set that it lies in; nothing."""

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """A field as the constructor had it.

    Attributes:
        value: Its value.
        grade: `PROVEN` where names, shapes and values leave no other, `WITHIN` where they leave a set,
            `OPEN` where they leave everything.
    """

    value: object
    grade: str = PROVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A point of a grid.

    Attributes:
        kind: Row of the scorecard.
        family: Id of the family that has to claim it.
        config: What the constructor takes.
        make: The constructor.
        truth: Truth of a configuration, by the family's field names.
        others: Configurations whose state dict could have an axis of the given size instead.
        droppable: Suffixes of tensors that a file may lack.
        assume: Profiles that the user has to name.
        input_shape: What the user has to say of the input; None where nothing.
        beside: Entries that the file has beside its weights.
    """

    kind: str
    family: str
    config: Config
    make: "Callable[..., nn.Module]"
    truth: Callable[[Config], Mapping[str, Truth]]
    others: Callable[[Config, int], Iterator[Config]] = lambda *_: iter(())
    droppable: Sequence[str] = ()
    assume: tuple[str, ...] = ()
    input_shape: tuple[int, ...] | None = None
    beside: Mapping[str, Any] = field(default_factory=dict)

    def header(self, config: Config | None = None) -> dict[str, Entry]:
        """Return the state dict of the network, or of one with another configuration."""
        import torch

        with torch.device("meta"):
            return header_of(self.make(**(self.config if config is None else config)))
