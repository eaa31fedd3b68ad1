"""Shape inference over a whole graph, and its fit with the tensors of a checkpoint."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ckptkit.errors import ArchitectureError
from ckptkit.layers import Attrs, LayerType, Parameter, layer_type
from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.model.tensor import Tensor

FLOATS = frozenset({"F16", "BF16", "F32", "F64"})


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
        ArchitectureError: A layer takes a value that does not exist yet (a cycle, or a typing
            error), has an unknown type or attribute, or cannot take the shapes it is given; the
            message names the layer.
    """
    known: dict[str, ValueType] = dict(graph.inputs)
    steps = []
    for layer in graph.layers:
        try:
            step = _step(layer, known)
        except ArchitectureError as error:
            raise ArchitectureError(error.what, where=f"layer {layer.name}", fix=error.fix) from error
        for index, value in enumerate(step.gives):
            known[reference(layer.name, index)] = value
        steps.append(step)
    for name, taken in graph.outputs.items():
        if taken not in known:
            raise ArchitectureError(f"is taken from {taken!r}, which no layer gives", where=f"output {name}")
    return tuple(steps)


def reference(layer: str, index: int) -> str:
    """Return how a graph names output `index` of `layer`."""
    return f"{layer}:{index}" if index else layer


def _step(layer: Layer, known: Mapping[str, ValueType]) -> Step:
    if layer.name in known:
        raise ArchitectureError("the name is taken already")
    kind = layer_type(layer.type)
    takes = []
    for value in layer.inputs:
        if value not in known:
            raise ArchitectureError(f"takes {value!r}, which nothing before it gives")
        takes.append(known[value])
    attrs = {**kind.defaults, **layer.attrs}
    try:
        gives = tuple(kind.infer(attrs, takes))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        message = (
            f"{layer.type} cannot take {len(takes)} inputs with attributes {dict(layer.attrs)}: {error!r}"
        )
        raise ArchitectureError(message) from error
    return Step(layer, kind, attrs, tuple(takes), gives)


def misfits(steps: tuple[Step, ...], tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    """Yield (tensor name, what is wrong) for each disagreement of a graph with a state dict.

    Every tensor must be owned by a layer, under the layer's name or one of its aliases, and every
    parameter of a layer must be there with its shape and kind of dtype.
    """
    owned = set()
    for step in steps:
        for path in (step.layer.name, *step.layer.aliases):
            for name, parameter in step.kind.parameters(step.attrs).items():
                full = join(path, name)
                owned.add(full)
                yield from _misfit(full, parameter, tensors.get(full), step.layer.type)
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
