"""Compare what a network gave with what was recorded, and find where it goes apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ckptkit.errors import ArchitectureError
from ckptkit.model.architecture import Graph
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded inputs and outputs.

    Attributes:
        inputs: By name.
        outputs: By name.
        absolute: Largest difference of a float output that counts as equal,
        relative: or largest in proportion to the recorded value; whichever allows more.
    """

    inputs: Mapping[str, "Array"]
    outputs: Mapping[str, "Array"]
    absolute: float
    relative: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One output that is not what was recorded."""

    output: str
    what: str

    def __str__(self) -> str:
        return f"output {self.output} {self.what}"


def compare(got: Mapping[str, "Array"], recorded: Recorded) -> Iterator[Difference]:
    """Yield each output that differs."""
    for name, expected in recorded.outputs.items():
        if name not in got:
            yield Difference(name, "is missing")
        elif got[name].shape != expected.shape or got[name].dtype != expected.dtype:
            found, wanted = (f"{a.dtype}{list(a.shape)}" for a in (got[name], expected))
            yield Difference(name, f"is {found}, recorded is {wanted}")
        else:
            yield from _values(name, got[name], expected, recorded)


def _values(name: str, got: "Array", expected: "Array", recorded: Recorded) -> Iterator[Difference]:
    apart = differs(got, expected, recorded)
    count = int(apart.sum())
    if count:
        most = f", by up to {largest(got, expected):.1e}" if got.dtype.kind == "f" else ""
        yield Difference(name, f"differs in {count:,} of {apart.size:,} values{most}")


def differs(got: "Array", expected: "Array", recorded: Recorded) -> "Array":
    """Return where two arrays of one shape differ by more than the tolerance; whole numbers by any."""
    import numpy as np

    if got.dtype.kind != "f":
        found: Array = got != expected
        return found
    with np.errstate(all="ignore"):
        allowed = np.maximum(recorded.absolute, recorded.relative * np.abs(expected))
        near = (np.abs(got.astype("f8") - expected) <= allowed) | (got == expected)
    apart: Array = ~(near | (np.isnan(got) & np.isnan(expected)))
    return apart


def largest(got: "Array", expected: "Array") -> float:
    """Return the largest difference of two arrays of one shape; 0 for empty ones."""
    import numpy as np

    with np.errstate(all="ignore"):
        return float(np.abs(got.astype("f8") - expected).max(initial=0.0))


def first_layer(
    model: "onnx.ModelProto", graph: Graph, tensors: Mapping[str, Tensor], recorded: Recorded
) -> str:
    """Say which layer is the first whose values are not those of a graph that is built anew.

    Args:
        model: The bundle's, without its external data.
        graph: The architecture.
        tensors: The state dict.
        recorded: The inputs to run it on, and the tolerance.
    """
    from ckptkit.graph.evaluation import by_reference, by_runtime
    from ckptkit.graph.onnx_model import build

    trace: dict[str, str] = {}
    fresh = build(graph, tensors, trace=trace)
    for initializer in model.graph.initializer:
        if initializer.data_location == initializer.EXTERNAL:
            _embed(initializer, tensors)
    try:
        own = by_runtime(_traced(fresh, trace), recorded.inputs)
        theirs = by_runtime(_traced(model, trace), recorded.inputs)
        layer = _first(trace, theirs, own, recorded)
        if layer:
            return f"first at layer {layer}, whose values differ from those of a graph built anew"
        layer = _first(trace, own, by_reference(_with_outputs(fresh, trace), recorded.inputs), recorded)
    except ArchitectureError:
        return ""
    if layer:
        return f"first at layer {layer}, where ONNX Runtime and onnx's reference evaluator differ"
    return "every layer computes what the architecture says: the recorded outputs are of something else"


def _first(
    trace: Mapping[str, str], got: Mapping[str, "Array"], expected: Mapping[str, "Array"], recorded: Recorded
) -> str:
    for layer, value in trace.items():
        if value not in expected:
            continue
        if value not in got or got[value].shape != expected[value].shape:
            return layer
        if differs(got[value], expected[value], recorded).any():
            return layer
    return ""


def _embed(initializer: "onnx.TensorProto", tensors: Mapping[str, Tensor]) -> None:
    initializer.data_location = initializer.DEFAULT
    del initializer.external_data[:]
    initializer.raw_data = tensors[initializer.name].tobytes()


def _with_outputs(model: "onnx.ModelProto", trace: Mapping[str, str]) -> "onnx.ModelProto":
    """Return a copy of `model` whose outputs are the values of all layers that it has."""
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    given = {name for node in made.graph.node for name in node.output}
    del made.graph.output[:]
    made.graph.output.extend(
        onnx.ValueInfoProto(name=value) for value in dict.fromkeys(trace.values()) if value in given
    )
    return made


def _traced(model: "onnx.ModelProto", trace: Mapping[str, str]) -> bytes:
    data: bytes = _with_outputs(model, trace).SerializeToString()
    return data
