"""Run a network on arrays: in torch, in onnx's reference evaluator, in ONNX Runtime."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ckptkit.errors import ArchitectureError
from ckptkit.graph.onnx_model import live
from ckptkit.graph.shapes import infer
from ckptkit.model.architecture import Graph
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Array = np.ndarray[Any, Any]

Arrays = dict[str, "Array"]
QUIET = 4
"""ONNX Runtime's severity `fatal`: what goes wrong comes as an exception, not as a line on stderr."""


def live_names(graph: Graph, tensors: Iterable[str]) -> tuple[str, ...]:
    """Return the tensors that an output depends on, in the order of the layers."""
    have = set(tensors)
    names = (name for step in live(infer(graph), graph) for name, _ in step.parameters())
    return tuple(name for name in names if name in have)


def non_finite(tensors: Mapping[str, Tensor], names: Iterable[str]) -> tuple[str, ...]:
    """Return those of `names` whose tensor holds a NaN or an infinity."""
    return tuple(name for name in names if not _is_finite(tensors[name]))


def _is_finite(tensor: Tensor) -> bool:
    import numpy as np

    if tensor.dtype.name == "BF16":
        return not (np.frombuffer(tensor.tobytes(), "<u2") & 0x7F80 == 0x7F80).any()
    values = tensor.array()
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def by_torch(graph: Graph, tensors: Mapping[str, Tensor], feed: Mapping[str, "Array"]) -> Arrays:
    """Run the torch module of `graph` in evaluation mode, on one thread.

    Raises:
        ArchitectureError: The tensors do not fit.
    """
    import torch

    from ckptkit.graph.torch_module import GraphModule

    module = GraphModule(graph)
    names = live_names(graph, tensors)
    try:
        module.load_state_dict({name: as_torch(tensors[name]) for name in names}, strict=False)
    except RuntimeError as error:
        raise ArchitectureError(f"the tensors do not fit: {error}") from error
    module.eval()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            given = {name: torch.from_numpy(value) for name, value in feed.items() if name in graph.inputs}
            return {name: value.numpy() for name, value in module(**given).items()}
    finally:
        torch.set_num_threads(threads)


def as_torch(tensor: Tensor) -> Any:
    """Return a tensor as torch has it, with memory of its own."""
    import torch

    dtype = getattr(torch, tensor.dtype.torch)
    if not tensor.numel:
        return torch.empty(tensor.shape, dtype=dtype)
    return torch.frombuffer(bytearray(tensor.tobytes()), dtype=dtype).reshape(tensor.shape)


def by_reference(model: "onnx.ModelProto", feed: Mapping[str, "Array"]) -> Arrays:
    """Run a self-contained model in `onnx.reference.ReferenceEvaluator`."""
    import numpy as np
    from onnx.reference import ReferenceEvaluator

    names = [output.name for output in model.graph.output]
    with np.errstate(all="ignore"):
        values = ReferenceEvaluator(model).run(names, _wanted(model, feed))
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _wanted(model: "onnx.ModelProto", feed: Mapping[str, "Array"]) -> Arrays:
    return {value.name: feed[value.name] for value in model.graph.input}


def by_runtime(
    model: bytes | str | os.PathLike[str], feed: Mapping[str, "Array"], outputs: Sequence[str] = ()
) -> Arrays:
    """Run a model in ONNX Runtime on the CPU.

    Args:
        model: A self-contained model, or the path of one, whose external data lies beside it.
        feed: Inputs by name; those that the model lacks are left out.
        outputs: Names of outputs; all where none is named.

    Raises:
        ArchitectureError: ONNX Runtime refuses the model or the inputs.
    """
    import onnxruntime

    onnxruntime.set_default_logger_severity(QUIET)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    given = model if isinstance(model, bytes) else os.fspath(model)
    try:
        session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        names = list(outputs) or [output.name for output in session.get_outputs()]
        inputs = {value.name for value in session.get_inputs()}
        values = session.run(names, {name: value for name, value in feed.items() if name in inputs})
    except _failures() as error:
        said = " ".join(str(error).split())
        raise ArchitectureError(f"ONNX Runtime refuses it: {said}") from error
    return dict(zip(names, values, strict=True))


def _failures() -> tuple[type[Exception], ...]:
    """Return the exceptions that ONNX Runtime has of its own; some of them are no RuntimeError."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found = (getattr(state, name) for name in dir(state))
    own = tuple(one for one in found if isinstance(one, type) and issubclass(one, Exception))
    return (RuntimeError, ValueError, *own)
