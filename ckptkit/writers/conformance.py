"""Conformance vectors: recorded inputs of a network and the outputs that they give."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ckptkit.graph import evaluation, onnx_model
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.extras import missing
from ckptkit.model.real import real
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.source import MemorySource
from ckptkit.writers import safetensors_out
from ckptkit.writers.observations import observations
from ckptkit.writers.plan import Planned

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE, ROLE = "conformance.safetensors", "conformance"
INPUT, OUTPUT = "input.", "output."
SEED = 0
TOLERANCE = {"absolute": 1e-05, "relative": 1e-05}
"""Float outputs agree within either, whichever is larger; all others exactly."""
RAW = float("inf")
"""Clip bound of observations that no normaliser has touched."""
TORCH, REFERENCE = "torch", "onnx.reference"
NUMPY_NAMES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}


@dataclass(frozen=True, slots=True)
class Vectors:
    """Inputs and outputs of a network.

    Attributes:
        inputs: By name, the batch along the axis that the graph says.
        outputs: By name, in the order of the graph.
        evaluator: What computed the outputs: `torch` or `onnx.reference`.
        seed: Of the inputs.
    """

    inputs: Mapping[str, "Array"]
    outputs: Mapping[str, "Array"]
    evaluator: str
    seed: int = SEED

    def describe(self) -> dict[str, object]:
        """Return the manifest's `conformance` object."""
        package = "torch" if self.evaluator == TORCH else "onnx"
        return {
            "file": FILE,
            "seed": self.seed,
            "tolerance": dict(TOLERANCE),
            "evaluator": {"name": self.evaluator, "version": version(package)},
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
        }

    def layout(self) -> safetensors_out.Layout:
        """Return what `conformance.safetensors` holds."""
        named = {INPUT + name: value for name, value in self.inputs.items()}
        named |= {OUTPUT + name: value for name, value in self.outputs.items()}
        return safetensors_out.layout([Planned(name, ROLE, _tensor(array)) for name, array in named.items()])


def make(graph: Graph, checkpoint: Checkpoint, *, evaluator: str = "", clip: float | None = None) -> Vectors:
    """Draw inputs for a network and compute its outputs.

    Args:
        graph: The network; its tensors are those of `checkpoint`.
        checkpoint: Its spaces say what the inputs look like.
        evaluator: `torch` or `onnx.reference`; the first where torch is installed, else the other.
        clip: As `observations` takes it; None for what the checkpoint's own normaliser clips to.
    """
    chosen = evaluator or default_evaluator()
    inputs = observations(graph, checkpoint.spaces, SEED, clip or normalizer_clip(checkpoint))
    if chosen == TORCH:
        outputs = evaluation.by_torch(graph, checkpoint.tensors, inputs)
    else:
        outputs = evaluation.by_reference(onnx_model.build(graph, checkpoint.tensors), inputs)
    return Vectors(inputs, {name: outputs[name] for name in graph.outputs}, chosen)


def default_evaluator() -> str:
    """Return `torch` where it is installed, else `onnx.reference`; neither is imported."""
    return REFERENCE if missing("torch") else TORCH


def normalizer_clip(checkpoint: Checkpoint) -> float | None:
    """Return the bound of what the network is given behind a VecNormalize; None without one."""
    for step in checkpoint.preprocessing:
        clip = real(step.get("clip_obs"))
        if step.get("type") == "VecNormalize" and step.get("norm_obs") and clip is not None:
            return clip
    return None


def _tensor(array: "Array") -> Tensor:
    import numpy as np

    dtype = BY_NAME[NUMPY_NAMES[array.dtype.name]]
    data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
    shape = tuple(array.shape)
    return Tensor(dtype, shape, contiguous_strides(shape), 0, Storage(MemorySource(data, FILE)))
