"""Whether modules can be one plain chain: convolutions, Linear layers, and perhaps two heads at its end."""

from collections.abc import Sequence
from dataclasses import dataclass

from ckptkit.recovery.generic.heads import SUPPORT
from ckptkit.recovery.generic.reading import Module, Reading
from ckptkit.recovery.generic.structure import numbered
from ckptkit.recovery.generic.widths import gives, takes

LINEAR = frozenset({"Linear", "NoisyLinear"})


@dataclass(frozen=True, slots=True)
class Chain:
    """Modules one behind the other.

    Attributes:
        convolutions: The first of them, of one rank; there may be none.
        linear: Those behind, flattened into from the last convolution.
        heads: Two more chains that both take what the last one gives, the one of the value first; or nothing.
        support: Canonical name of the atoms; empty where there are none.
    """

    convolutions: tuple[Reading, ...]
    linear: tuple[Reading, ...]
    heads: tuple[tuple[Reading, ...], ...] = ()
    support: str = ""

    @property
    def lines(self) -> tuple[tuple[Reading, ...], ...]:
        """The modules from the first to each last one."""
        trunk = (*self.convolutions, *self.linear)
        return tuple((*trunk, *head) for head in self.heads) or (trunk,)

    @property
    def first_linear(self) -> Reading:
        """The Linear layer that the convolutions, or the observations, go into."""
        return self.linear[0] if self.linear else self.heads[0][0]

    @property
    def places(self) -> int:
        """Places behind the last convolution; 0 where the features are no multiple of its channels."""
        features = takes(plain(self.first_linear)) or 0
        channels = gives(plain(self.convolutions[-1])) or 1
        return 0 if features % channels else features // channels

    @property
    def kernels(self) -> list[tuple[int, ...]]:
        """Kernel of each convolution."""
        return [kernel(one) for one in self.convolutions]


def plain(reading: Reading) -> Module:
    """Return the module as a chain takes it: one group, no table of vectors; nothing where it is neither."""
    if reading.kind == "Embedding":
        return {}
    for one in reading.candidates:
        linear = one["type"] in LINEAR and not one.get("transposed")
        convolution = str(one["type"]).startswith("Conv") and one.get("groups") == 1
        forward = not str(one["type"]).startswith("ConvTranspose")
        if "parametrization" not in one and (linear or (convolution and forward)):
            return one
    return {}


def kernel(reading: Reading) -> tuple[int, ...]:
    """Return the kernel of a convolution; nothing for another module."""
    sizes = plain(reading).get("kernel_size", ())
    return tuple(sizes) if isinstance(sizes, list) else ()


def chain(readings: Sequence[Reading]) -> Chain | None:
    """Return the modules as one chain; None where their kinds or widths are not those of one."""
    support = [one.group.path for one in readings if one.kind == "Parameter"]
    if len(support) > 1 or any(name.rpartition(".")[2] != SUPPORT for name in support):
        return None
    layers = ordered([one for one in readings if one.kind != "Parameter"])
    if not layers or not all(plain(one) for one in layers):
        return None
    count = next((at for at, one in enumerate(layers) if not kernel(one)), len(layers))
    convolutions, rest = layers[:count], layers[count:]
    if not rest or any(kernel(one) for one in rest) or len({len(kernel(one)) for one in convolutions}) > 1:
        return None
    at = _agreeing(rest)
    heads = _heads(rest, at) if at < len(rest) else ()
    if heads is None or not _one_chain(convolutions):
        return None
    linear = rest[: at - len(heads[0])] if heads else rest
    found = Chain(tuple(convolutions), tuple(linear), heads, support[0] if support else "")
    return found if not convolutions or found.places else None


def ordered(readings: Sequence[Reading]) -> list[Reading]:
    """Return modules in the order of the file, but those with numbers below one path by their numbers."""
    places: dict[str, list[int]] = {}
    for at, one in enumerate(readings):
        places.setdefault(one.group.path.rpartition(".")[0], []).append(at)
    found = list(readings)
    for among in places.values():
        if numbered([readings[at].group.path.rpartition(".")[2] for at in among]):
            inner = sorted(among, key=lambda at: int(readings[at].group.path.rpartition(".")[2]))
            for at, other in zip(among, inner, strict=True):
                found[at] = readings[other]
    return found


def _agreeing(layers: Sequence[Reading]) -> int:
    """Return how many modules from the first on take what the one before gives."""
    for at in range(1, len(layers)):
        if gives(plain(layers[at - 1])) != takes(plain(layers[at])):
            return at
    return len(layers)


def _one_chain(layers: Sequence[Reading]) -> bool:
    return _agreeing(layers) == len(layers)


def _heads(layers: Sequence[Reading], end: int) -> tuple[tuple[Reading, ...], ...] | None:
    """Return two chains on one value; None where widths and paths do not say where the first begins.

    The first `end` layers agree; the second head begins with the layer behind them.
    """
    second = layers[end:]
    width = takes(plain(second[0]))
    starts = [at for at in range(end) if takes(plain(layers[at])) == width]
    path = _parent(layers[end - 1])
    named = [
        at
        for at in starts
        if path and _parent(layers[at]) == path and (not at or _parent(layers[at - 1]) != path)
    ]
    start = starts if len(starts) == 1 else named
    if len(start) != 1 or not _one_chain(second):
        return None
    return tuple(layers[start[0] : end]), tuple(second)


def _parent(reading: Reading) -> str:
    return reading.group.path.rpartition(".")[0]
