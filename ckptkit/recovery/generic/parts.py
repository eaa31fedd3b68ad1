"""Layers that are known to the last attribute that affects what they compute, whatever their wiring."""

from collections.abc import Sequence

from ckptkit.layers import layer_type
from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.model.recovered import Status
from ckptkit.recovery.canonical import Canonical
from ckptkit.recovery.generic.reading import Reading
from ckptkit.recovery.generic.widths import takes

KINDS = frozenset({"Linear", "NoisyLinear", "LSTM", "GRU"})
"""Types whose tensors leave nothing open; a convolution has a stride, a norm an eps that no tensor tells."""
DROPPED = {"Linear": (), "NoisyLinear": ("bias",), "LSTM": ("bidirectional",), "GRU": ("bidirectional",)}
STATES = {"LSTM": ("h", "c"), "GRU": ("h",)}


def parts(names: Canonical, readings: Sequence[Reading]) -> tuple[Layer, ...]:
    """Return the proven layers that the vocabulary has, each without inputs, by the file's own paths."""
    found = (layer(names, reading) for reading in readings if reading.status is Status.PROVEN)
    return tuple(one for one in found if one is not None)


def layer(names: Canonical, reading: Reading) -> Layer | None:
    """Return a module as a layer; None where the vocabulary has none with its tensors."""
    value = dict(reading.value or {})
    kind = str(value.pop("type", ""))
    if kind not in KINDS or value.get("bidirectional") or {"parametrization", "transposed"} & value.keys():
        return None
    attrs = {name: one for name, one in value.items() if name not in DROPPED[kind]}
    owned = layer_type(kind).parameters({**layer_type(kind).defaults, **attrs})
    needed = {name for name, what in owned.items() if not what.optional}
    if not needed <= reading.group.leaves.keys() <= owned.keys():
        return None
    if any(reading.group.leaves[name].shape != owned[name].shape for name in reading.group.leaves):
        return None
    path = names.module(reading.group.path) if reading.group.path else names.prefix.removesuffix(".")
    return Layer(path, kind, (), attrs) if path else None


def alone(part: Layer) -> Graph:
    """Return the graph of one layer: input `x` of (batch, features), states `h` and `c`, output `y`.

    States come and go as (layers, batch, hidden); the next ones are `next_h` and `next_c`.
    """
    inputs = {"x": ValueType("F32", (None, takes(part.attrs) or 0))}
    outputs = {"y": part.name}
    for at, state in enumerate(STATES.get(part.type, ())):
        inputs[state] = ValueType("F32", (_size(part, "num_layers"), None, _width(part, state)))
        outputs[f"next_{state}"] = f"{part.name}:{at + 1}"
    return Graph(inputs, (Layer(part.name, part.type, tuple(inputs), part.attrs),), outputs)


def _width(part: Layer, state: str) -> int:
    return (_size(part, "proj_size") if state == "h" else 0) or _size(part, "hidden_size")


def _size(part: Layer, name: str) -> int:
    return int(str(part.attrs.get(name, 0)))
