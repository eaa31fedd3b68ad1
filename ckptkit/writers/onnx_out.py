"""The ONNX file: beside its weights in a bundle, or whole by itself."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ckptkit.errors import LimitExceededError
from ckptkit.graph.onnx_model import External, build
from ckptkit.model.architecture import Graph
from ckptkit.model.manifest import MODEL, TensorEntry
from ckptkit.model.tensor import Tensor
from ckptkit.version import SPEC_VERSION

if TYPE_CHECKING:
    import onnx

FILE, ROLE, MEDIA_TYPE = "model.onnx", "graph", "application/onnx"
CONTENT_DIGEST, SPEC = "ckptkit.content_digest", "ckptkit.spec_version"
"""Keys of `metadata_props`."""
MOST_BYTES = (1 << 31) - 1
"""What one protobuf message may hold."""


def metadata(content_digest: str) -> dict[str, str]:
    """Return the `metadata_props` of a model whose tensors have this digest."""
    return {CONTENT_DIGEST: content_digest, SPEC: SPEC_VERSION}


def places(entries: Iterable[TensorEntry]) -> dict[str, External]:
    """Return where each model tensor's bytes lie; an alias lies where its owner does."""
    return {e.name: External(e.file, e.offset, e.nbytes) for e in entries if e.role == MODEL}


def serialized(
    graph: Graph,
    tensors: Mapping[str, Tensor],
    content_digest: str,
    external: Mapping[str, External] | None = None,
) -> bytes:
    """Return the bytes of the model; equal arguments give equal bytes.

    Args:
        graph: The network.
        tensors: Its state dict.
        content_digest: Hex, of the tensors.
        external: Their places in a file beside the model; None to hold them in it.

    Raises:
        ArchitectureError: The graph is not well formed.
        LimitExceededError: The tensors do not fit into one ONNX file.
    """
    held = 0 if external is not None else sum(tensor.nbytes for tensor in tensors.values())
    if held > MOST_BYTES:
        raise LimitExceededError(
            f"its tensors have {held:,} bytes, and one ONNX file holds at most {MOST_BYTES:,}",
            fix="convert it --to deploy: there the weights stay outside the graph",
        )
    return to_bytes(build(graph, tensors, external=external, metadata=metadata(content_digest)))


def to_bytes(model: "onnx.ModelProto") -> bytes:
    """Return the bytes of `model`, the same for the same model."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data
