"""Shape inference over a whole graph, and its fit with the tensors of a checkpoint."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ckptkit.errors import ArchitectureError
from ckptkit.layers import FLOATS, Attrs, LayerType, Parameter, elements, expect, layer_type
from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    from ckptkit.schema import Problem

SCHEMA = "architecture-1.0"
MOST_ELEMENTS = 1 << 26
"""Most elements of a value for each element of the batch (`spec/limits.md`)."""
MOST_AXES = 8
LOWERED = re.compile(r"(.+)/(?:[A-Z][A-Za-z]*|const)_[0-9]+(?::[0-9]+)?", re.DOTALL)
LAYER = re.compile(r"/graph/layers/([0-9]+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """A layer with everything resolved.

    Attributes:
        kind: Its type.
        attrs: Its attributes with defaults filled in.
        takes: Types of its inputs.
        gives: Types of its outputs.
    """

    layer: Layer
    kind: LayerType
    attrs: Attrs
    takes: tuple[ValueType, ...]
    gives: tuple[ValueType, ...]

    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the state-dict name and description of each tensor that the layer owns."""
        for name, parameter in self.kind.parameters(self.attrs).items():
            yield join(self.layer.name, name), parameter


def join(path: str, name: str) -> str:
    """Return the state-dict name of `name` below the module at `path`."""
    return f"{path}.{name}" if path and name else path or name


def infer(graph: Graph) -> tuple[Step, ...]:
    """Resolve every layer of `graph` in order.

    Raises:
        ArchitectureError: The graph breaks the schema, a layer takes a value that does not exist yet
            (a cycle, or a typing error) or cannot take the shapes it is given, a name or a tensor is
            given out twice, or a value is over `MOST_ELEMENTS`; the message names the layer.
    """
    check(graph)
    known: dict[str, ValueType] = {}
    _keep_apart(graph)
    owners: dict[str, str] = {}
    steps = []
    for name, value in graph.inputs.items():
        with _naming(f"input {name}"):
            _bound(value)
            known[name] = value
    for layer in graph.layers:
        with _naming(f"layer {layer.name}"):
            steps.append(_step(layer, known))
            _own(steps[-1], owners)
    for name in graph.inputs:
        with _naming(f"input {name}"):
            expect(name not in owners, f"a tensor of layer {owners.get(name)} has the same name")
    for name, taken in graph.outputs.items():
        with _naming(f"output {name}"):
            expect(name not in owners, f"a tensor of layer {owners.get(name)} has the same name")
            expect(taken in known, f"is taken from {taken!r}, which no layer gives")
            expect(0 not in known[taken].shape, "is a value without elements")
            expect(name not in graph.inputs, "an input has the same name")
    return tuple(steps)


def check(graph: Graph) -> None:
    """Refuse a graph that the schema of architectures does not allow.

    Raises:
        ArchitectureError: The first problem, with the name of the layer that has it.
    """
    try:
        text = json.dumps({"schema": SCHEMA, "graph": graph.to_json()}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArchitectureError(f"the graph is not plain JSON: {error}") from error
    for problem in problems(text):
        found = LAYER.match(problem.pointer)
        where = f"layer {graph.layers[int(found[1])].name}" if found else problem.pointer
        part = found[2] if found else ""
        raise ArchitectureError(f"{part.strip('/')} {problem.message}".strip(), where=where)


@lru_cache(maxsize=8)
def problems(text: str) -> "tuple[Problem, ...]":
    """Return what is wrong with an `architecture` object by its schema.

    A graph is looked at when it is found, drawn and run, and checkpoints of one run have the same: the last
    few are remembered.

    Args:
        text: The object as JSON.
    """
    from ckptkit import schema

    return tuple(schema.validate(SCHEMA, json.loads(text)))


def reference(layer: str, index: int) -> str:
    """Return how a graph names output `index` of `layer`."""
    return f"{layer}:{index}" if index else layer


def _keep_apart(graph: Graph) -> None:
    """Refuse names that the ONNX form of another layer needs for its own nodes."""
    layers = {layer.name for layer in graph.layers}
    for name in (*graph.inputs, *layers, *graph.outputs):
        found = LOWERED.fullmatch(name)
        expect(not (found and found[1] in layers), f"the name {name!r} is kept for nodes of that layer")


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Put a place into an error that has none."""
    try:
        yield
    except ArchitectureError as error:
        raise ArchitectureError(error.what, where=error.where or where, fix=error.fix) from error


def _step(layer: Layer, known: dict[str, ValueType]) -> Step:
    kind = layer_type(layer.type)
    takes = []
    for value in layer.inputs:
        expect(value in known, f"takes {value!r}, which nothing before it gives")
        takes.append(known[value])
    attrs = {**kind.defaults, **layer.attrs}
    count = len(takes)
    expect(all(0 not in value.shape for value in takes), "takes a value without elements")
    fits = count > 0 if kind.takes is None else count in kind.takes
    wanted = "one input or more" if kind.takes is None else " or ".join(map(str, kind.takes))
    expect(fits, f"{layer.type} takes {wanted}, got {count}")
    gives = tuple(kind.infer(attrs, takes))
    for index, given in enumerate(gives):
        name = reference(layer.name, index)
        expect(name not in known, f"the name {name!r} is taken already")
        _bound(given)
        known[name] = given
    return Step(layer, kind, attrs, tuple(takes), gives)


def _bound(value: ValueType) -> None:
    """Keep hostile sizes from being computed with."""
    expect(elements(value) <= MOST_ELEMENTS, f"{value} has more than {MOST_ELEMENTS} elements")
    expect(len(value.shape) <= MOST_AXES, f"{value} has more than {MOST_AXES} axes")
    expect(value.shape.count(None) <= 1, f"{value} has more than one batch axis")


def _own(step: Step, owners: dict[str, str]) -> None:
    """Give each tensor of a layer to it alone."""
    for path in (step.layer.name, *step.layer.aliases):
        for name in step.kind.parameters(step.attrs):
            full = join(path, name)
            expect(full not in owners, f"owns {full}, which {owners.get(full)} owns already")
            owners[full] = step.layer.name


def misfits(steps: tuple[Step, ...], tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    """Yield (tensor name, what is wrong) for each disagreement of a graph with a state dict.

    Every tensor must be owned by a layer, under the layer's name or one of its aliases, and every
    parameter of a layer must be there with its shape and kind of dtype. Under an alias it must be the
    same tensor.
    """
    owned = set()
    for step in steps:
        for path in (step.layer.name, *step.layer.aliases):
            for name, parameter in step.kind.parameters(step.attrs).items():
                full, first = join(path, name), join(step.layer.name, name)
                owned.add(full)
                yield from _misfit(full, parameter, tensors.get(full), step.layer.type)
                if {full, first} <= tensors.keys() and tensors[full].identity != tensors[first].identity:
                    yield full, f"is not the same tensor as {first}, as the aliases of {step.layer.name} say"
    for name in tensors:
        if name not in owned:
            yield name, "no layer of the graph uses it"


def _misfit(name: str, parameter: Parameter, tensor: Tensor | None, kind: str) -> Iterator[tuple[str, str]]:
    if tensor is None:
        if not parameter.optional:
            yield name, f"{kind} needs it, with shape {list(parameter.shape)}"
        return
    if tensor.shape != parameter.shape:
        yield name, f"has shape {list(tensor.shape)}, {kind} needs {list(parameter.shape)}"
    group = FLOATS if parameter.dtype in FLOATS else {parameter.dtype}
    if tensor.dtype.name not in group:
        yield name, f"has dtype {tensor.dtype}, {kind} needs {parameter.dtype}"
