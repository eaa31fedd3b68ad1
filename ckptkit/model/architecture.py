"""The architecture graph as data (`spec/architecture.md`): no import path, no code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ckptkit.errors import ArchitectureError

BATCH = None
"""Stands in a shape for the one dynamic axis; spelled `"batch"` in JSON."""

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class ValueType:
    """What flows along one edge.

    Attributes:
        dtype: Safetensors spelling; `F32`, `U8`, `I64` or `BOOL`.
        shape: Sizes, outermost first, with `BATCH` at the dynamic axis.
    """

    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join('batch' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Layer:
    """One step of the network.

    Attributes:
        name: Unique; for a layer with parameters the path of its module, so that `conv.0` owns
            `conv.0.weight`.
        type: A word of the closed vocabulary (`Linear`, `ReLU`, …).
        inputs: Names of graph inputs or of earlier layers; `lstm:1` is the second output of `lstm`.
        attrs: Plain JSON values as the layer type defines them.
        aliases: Other module paths under which the state dict holds the same tensors (a shared
            features extractor, say).
    """

    name: str
    type: str
    inputs: tuple[str, ...] = ()
    attrs: Mapping[str, object] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A network from named inputs to named outputs.

    Attributes:
        inputs: In the order in which an ONNX model lists them.
        layers: In an order in which each comes after those it takes from.
        outputs: Output name to the value that it is; in the order of the ONNX model.
    """

    inputs: Mapping[str, ValueType]
    layers: tuple[Layer, ...]
    outputs: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """Return the `graph` object of the manifest."""
        return {
            "inputs": [
                {
                    "name": name,
                    "dtype": value.dtype,
                    "shape": ["batch" if s is None else s for s in value.shape],
                }
                for name, value in self.inputs.items()
            ],
            "layers": [_layer_json(layer) for layer in self.layers],
            "outputs": [{"name": name, "value": value} for name, value in self.outputs.items()],
        }


def graph_from_json(document: Mapping[str, object]) -> Graph:
    """Return the graph that a schema-valid `graph` object describes.

    Raises:
        ArchitectureError: An input or output name occurs twice.
    """
    inputs = {str(i["name"]): _value_type(i) for i in _objects(document, "inputs")}
    layers = tuple(
        Layer(
            str(one["name"]),
            str(one["type"]),
            tuple(_list(one, "inputs")),
            dict(_mapping(one, "attrs")),
            tuple(_list(one, "aliases")),
        )
        for one in _objects(document, "layers")
    )
    outputs = {str(o["name"]): str(o["value"]) for o in _objects(document, "outputs")}
    if len(inputs) < len(_objects(document, "inputs")) or len(outputs) < len(_objects(document, "outputs")):
        raise ArchitectureError("two inputs or two outputs of the graph have the same name")
    return Graph(inputs, layers, outputs)


def _layer_json(layer: Layer) -> dict[str, object]:
    document: dict[str, object] = {"name": layer.name, "type": layer.type, "inputs": list(layer.inputs)}
    if layer.attrs:
        document["attrs"] = dict(layer.attrs)
    if layer.aliases:
        document["aliases"] = list(layer.aliases)
    return document


def _value_type(document: Mapping[str, object]) -> ValueType:
    shape = tuple(BATCH if size == "batch" else int(str(size)) for size in _list(document, "shape"))
    return ValueType(str(document["dtype"]), shape)


def _objects(document: Mapping[str, object], key: str) -> Sequence[Mapping[str, object]]:
    value = document.get(key, ())
    return value if isinstance(value, list | tuple) else ()


def _list(document: Mapping[str, object], key: str) -> list[str]:
    value = document.get(key, [])
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def _mapping(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = document.get(key, {})
    return value if isinstance(value, Mapping) else {}
