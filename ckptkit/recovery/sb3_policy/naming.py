"""Give the layers of a graph the names that the file has: its prefixes, and what stood within names."""

from collections.abc import Mapping
from dataclasses import replace

from ckptkit.model.architecture import Graph
from ckptkit.recovery.canonical import Canonical


def renamed(graph: Graph, names: Canonical) -> Graph:
    """Return the graph under the names of the file; inputs and outputs keep theirs."""
    if all(name == source for name, source in names.source.items()):
        return graph
    new = {layer.name: _own(layer.name, names) for layer in graph.layers}
    layers = tuple(
        replace(
            layer,
            name=new[layer.name],
            inputs=tuple(_value(value, new) for value in layer.inputs),
            aliases=tuple(_own(alias, names) for alias in layer.aliases),
        )
        for layer in graph.layers
    )
    return Graph(graph.inputs, layers, {name: _value(value, new) for name, value in graph.outputs.items()})


def _own(path: str, names: Canonical) -> str:
    try:
        return names.module(path)
    except KeyError:
        return f"{names.prefix}{path}"


def _value(value: str, new: Mapping[str, str]) -> str:
    """Return a value under its layer's new name; `lstm:1` is the second output of `lstm`."""
    if value in new:
        return new[value]
    layer, colon, index = value.rpartition(":")
    return f"{new[layer]}{colon}{index}" if colon and layer in new else value
