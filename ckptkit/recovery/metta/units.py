"""Layers that all of MettaAgent's networks are made of, as their tensors tell them."""

from dataclasses import dataclass

from ckptkit.recovery.recurrence import MOST_LAYERS
from ckptkit.recovery.relations import Relations


@dataclass(frozen=True, slots=True)
class Unit:
    """A convolution or a Linear, with or without an activation behind it.

    Attributes:
        name: Component name (`cnn1`).
        path: Canonical module path (`cnn1._net.0`).
        shape: Shape of the weight.
        activated: Whether a Sequential holds it, which MettaAgent makes where an activation follows.
    """

    name: str
    path: str
    shape: tuple[int, ...]
    activated: bool

    @property
    def weight(self) -> str:
        """Canonical name of the weight."""
        return f"{self.path}.weight"


@dataclass(frozen=True, slots=True)
class Core:
    """An LSTM.

    Attributes:
        path: Canonical module path.
        hidden: Size of its state.
        layers: Number of its layers.
    """

    path: str
    hidden: int
    layers: int

    @property
    def weight(self) -> str:
        """Canonical name of the first layer's recurrent weight."""
        return f"{self.path}.weight_hh_l0"


def unit(relations: Relations, name: str, *wanted: int | str) -> Unit:
    """Require the component `name` with a weight of that shape, and its bias.

    Raises:
        UnlikeError: It is not there, or of another shape.
    """
    activated = not relations.has(f"{name}._net.weight")
    path = f"{name}._net.0" if activated else f"{name}._net"
    relations.layer(path, *wanted)
    return Unit(name, path, relations.tensor(f"{path}.weight").shape, activated)


def chain(relations: Relations, stem: str) -> list[str]:
    """Return `stem` with 1, 2, … for as long as there are such components; always the first."""
    count = 1
    while relations.below(f"{stem}{count + 1}._net"):
        count += 1
    return [f"{stem}{index + 1}" for index in range(count)]


def core(relations: Relations, path: str, size: int | str) -> Core:
    """Require an LSTM that takes `size` features.

    Raises:
        UnlikeError: One of its tensors is not there, or of another shape.
    """
    hidden, before, count = f"{path}.hidden", size, 0
    bias = relations.has(f"{path}.bias_ih_l0")
    while count == 0 or (count < MOST_LAYERS and relations.has(f"{path}.weight_ih_l{count}")):
        relations.expect(f"{path}.weight_hh_l{count}", f"{path}.gates", hidden)
        relations.expect(f"{path}.weight_ih_l{count}", f"{path}.gates", before)
        for kind in ("ih", "hh") if bias else ():
            relations.expect(f"{path}.bias_{kind}_l{count}", f"{path}.gates")
        before, count = hidden, count + 1
    found = Core(path, relations.sizes[hidden], count)
    if relations.sizes[f"{path}.gates"] != 4 * found.hidden:
        relations.fail(found.weight, f"{found.hidden} features are no quarter of its rows, the four gates")
    return found
