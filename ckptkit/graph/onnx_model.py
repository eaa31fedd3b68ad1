"""Lower a graph to ONNX with the `onnx` package alone: no torch, same bytes each time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckptkit.graph.shapes import Step, infer, reference
from ckptkit.layers.onnx_scope import ELEMENTS, OnnxScope
from ckptkit.model.architecture import Graph, ValueType
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    import onnx

OPSET = 18
IR_VERSION = 10
"""Newest that ONNX Runtime 1.18 reads; both are stated in `spec/architecture.md`."""


@dataclass(frozen=True, slots=True)
class External:
    """Where an initializer's bytes lie in a file beside the model.

    Attributes:
        location: File name relative to the model.
        offset: First byte.
        nbytes: Length.
    """

    location: str
    offset: int
    nbytes: int


def live(steps: tuple[Step, ...], graph: Graph) -> tuple[Step, ...]:
    """Return the steps that an output depends on, in their order."""
    wanted = set(graph.outputs.values())
    kept = []
    for step in reversed(steps):
        if any(reference(step.layer.name, index) in wanted for index in range(len(step.gives))):
            wanted.update(step.layer.inputs)
            kept.append(step)
    return tuple(reversed(kept))


def taken(graph: Graph) -> dict[str, ValueType]:
    """Return the inputs that an output depends on: those that the ONNX model has."""
    values = set(graph.outputs.values()).union(*(step.layer.inputs for step in live(infer(graph), graph)))
    return {name: value for name, value in graph.inputs.items() if name in values}


def build(
    graph: Graph,
    tensors: Mapping[str, Tensor],
    *,
    external: Mapping[str, External] | None = None,
    metadata: Mapping[str, str] | None = None,
    trace: dict[str, str] | None = None,
) -> "onnx.ModelProto":
    """Return the ONNX model of `graph` with `tensors` as its initializers.

    Args:
        graph: Layers that no output depends on (target networks, critics) are left out.
        tensors: The state dict; initializers keep its names.
        external: Places of the initializers in a file; None to hold their bytes in the model.
        metadata: Written as `metadata_props`, sorted.
        trace: Filled with the ONNX name of each live layer's outputs, in the order of the layers.

    Raises:
        ArchitectureError: The graph is not well formed.
    """
    from onnx import helper

    scope = OnnxScope({name: tensor.dtype.name for name, tensor in tensors.items()})
    steps = live(infer(graph), graph)
    values = {name: name for name in graph.inputs}
    types = dict(graph.inputs)
    for step in steps:
        scope.enter(step.layer.name, step.takes)
        names = step.kind.onnx(scope, step.attrs, [values[value] for value in step.layer.inputs])
        for index, (name, given) in enumerate(zip(names, step.gives, strict=True)):
            values[reference(step.layer.name, index)] = name
            types[reference(step.layer.name, index)] = given
            if trace is not None:
                trace[reference(step.layer.name, index)] = name
    for name, value in graph.outputs.items():
        scope.nodes.append(helper.make_node("Identity", [values[value]], [name], name=f"output/{name}"))
    model = helper.make_model(
        helper.make_graph(
            scope.nodes,
            "ckptkit",
            [_value_info(name, value) for name, value in taken(graph).items()],
            [_value_info(name, types[value]) for name, value in graph.outputs.items()],
            [_initializer(name, tensors[name], (external or {}).get(name)) for name in scope.used]
            + scope.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="ckptkit",
    )
    for key, text in sorted((metadata or {}).items()):
        model.metadata_props.add(key=key, value=text)
    return model


def _value_info(name: str, value: ValueType) -> "onnx.ValueInfoProto":
    from onnx import helper

    shape = ["batch" if size is None else size for size in value.shape]
    return helper.make_tensor_value_info(name, _element(value.dtype), shape)


def _element(dtype: str) -> int:
    from onnx import TensorProto

    return int(getattr(TensorProto, ELEMENTS[dtype]))


def _initializer(name: str, tensor: Tensor, place: External | None) -> "onnx.TensorProto":
    from onnx import TensorProto

    proto = TensorProto(name=name, data_type=_element(tensor.dtype.name), dims=tensor.shape)
    if place is None or not place.nbytes:
        # An empty tensor has no bytes that could lie anywhere.
        proto.raw_data = tensor.tobytes()
        return proto
    proto.data_location = TensorProto.EXTERNAL
    for key, text in (
        ("location", place.location),
        ("offset", str(place.offset)),
        ("length", str(place.nbytes)),
    ):
        proto.external_data.add(key=key, value=text)
    return proto
