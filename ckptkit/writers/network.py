"""The part of a deploy bundle that runs: `model.onnx` and the recorded inputs and outputs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ckptkit.graph.onnx_model import External
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.extras import missing
from ckptkit.model.manifest import FileEntry
from ckptkit.model.tensor import Tensor
from ckptkit.storage.output import create
from ckptkit.writers import conformance, onnx_out, safetensors_out
from ckptkit.writers.conformance import Vectors
from ckptkit.writers.deployable import broken_weights, fitting_graph


@dataclass(frozen=True, slots=True)
class Network:
    """A network that can be run, and what it gave.

    Attributes:
        graph: Its description.
        tensors: Its state dict.
        vectors: Recorded inputs and outputs.
    """

    graph: Graph
    tensors: Mapping[str, Tensor]
    vectors: Vectors

    def write(self, folder: Path, content_digest: str, places: Mapping[str, External]) -> list[FileEntry]:
        """Write `model.onnx` and `conformance.safetensors`.

        Args:
            folder: The bundle's directory; the weights stand in it already.
            content_digest: Hex, of the tensors.
            places: Where each tensor's bytes lie in the bundle.
        """
        data = onnx_out.serialized(self.graph, self.tensors, content_digest, places)
        with create(folder / onnx_out.FILE) as output:
            output.write(data)
        digest = hashlib.sha256(data).hexdigest()
        graph = FileEntry(onnx_out.FILE, len(data), digest, onnx_out.MEDIA_TYPE, onnx_out.ROLE)
        with create(folder / conformance.FILE) as output:
            made = safetensors_out.write(output, self.vectors.layout())
        kind, role = safetensors_out.MEDIA_TYPE, conformance.ROLE
        return [graph, FileEntry(conformance.FILE, made.size, made.sha256, kind, role)]


def runnable(checkpoint: Checkpoint) -> Network | None:
    """Return the network of a checkpoint with its outputs.

    None where there is no graph, where weights are no numbers, or where onnx is not installed:
    `deployable.reach_deployed` says which.

    Raises:
        ArchitectureError: The graph is not well formed, or the tensors do not fit it.
    """
    graph = fitting_graph(checkpoint)
    if graph is None or missing("onnx", "onnx") or broken_weights(graph, checkpoint):
        return None
    return Network(graph, checkpoint.tensors, conformance.make(graph, checkpoint))
