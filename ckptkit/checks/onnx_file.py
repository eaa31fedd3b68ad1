"""CK503, CK504, CK505: the ONNX file of a bundle, before anything runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ckptkit.checks import Rule
from ckptkit.checks.view import bundle_of, file_entries, manifest_of, member_place, shortened, tensor_entries
from ckptkit.errors import CkptkitError
from ckptkit.model.architecture import Graph
from ckptkit.model.bundle import MemberFacts
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.manifest import MODEL

if TYPE_CHECKING:
    import onnx

GRAPH_ROLE = "graph"
MAX_BYTES = 64 << 20
"""A graph without its weights is far smaller."""
CONTENT_DIGEST = "ckptkit.content_digest"
AGAIN = "ckptkit export onnx BUNDLE writes it anew"


def member_of(checkpoint: Checkpoint, role: str) -> MemberFacts | None:
    """Return the one listed file of `role` whose bytes are there; None for none, or more than one."""
    bundle = bundle_of(checkpoint)
    paths = [entry.path for entry in file_entries(checkpoint) if entry.role == role]
    member = bundle.members.get(paths[0]) if bundle is not None and len(paths) == 1 else None
    return member if member is not None and member.source is not None else None


def parsed(member: MemberFacts) -> "onnx.ModelProto | str":
    """Return the model in a file without its external data, or why there is none."""
    import onnx
    from google.protobuf.message import DecodeError

    source = member.source
    if source is None or source.size > MAX_BYTES:
        return f"more than {MAX_BYTES >> 20} MiB: a graph without its weights is far smaller"
    try:
        return onnx.load_model_from_string(source.read(0, source.size))
    except (DecodeError, CkptkitError) as error:
        return f"is no ONNX model: {error}"


def problems(checkpoint: Checkpoint, member: MemberFacts, graph: Graph) -> Iterator[Finding]:
    """Report all that is wrong with an ONNX file; it is not run.

    Args:
        checkpoint: The bundle.
        member: The file.
        graph: The network that it must be.
    """
    place = member_place(checkpoint, member.path)
    model = parsed(member)
    if isinstance(model, str):
        yield Finding("CK503", Severity.ERROR, model, place, fix=AGAIN)
        return
    yield from _stale(checkpoint, model, place)
    outside = [
        Finding("CK505", Severity.ERROR, message, place, name, AGAIN)
        for name, message in _external(checkpoint, model)
    ]
    yield from outside
    invalid = "" if outside else _invalid(Path(checkpoint.path, member.path))
    for message in filter(None, (invalid, _interface(model, graph))):
        yield Finding("CK503", Severity.ERROR, message, place, fix=AGAIN)


def _stale(checkpoint: Checkpoint, model: "onnx.ModelProto", place: str) -> Iterator[Finding]:
    stated = {entry.key: entry.value for entry in model.metadata_props}.get(CONTENT_DIGEST, "")
    recorded = str(manifest_of(checkpoint).get("content_digest", ""))
    if stated != recorded:
        message = f"was made for content {shortened(stated)}, the manifest records {shortened(recorded)}"
        yield Finding("CK504", Severity.ERROR, message, place, CONTENT_DIGEST, AGAIN)


def _external(checkpoint: Checkpoint, model: "onnx.ModelProto") -> Iterator[tuple[str, str]]:
    """Yield each initializer that is not exactly the bundle's tensor of its name."""
    weights = {entry.path for entry in file_entries(checkpoint) if entry.role == MODEL}
    tensors = {
        entry.name: (entry.file, entry.offset, entry.nbytes)
        for entry in tensor_entries(checkpoint)
        if entry.file in weights
    }
    for tensor in model.graph.initializer:
        known = tensors.get(tensor.name)
        if tensor.data_location == tensor.EXTERNAL:
            yield from _misplaced(tensor, known)
        elif known is not None and known[2]:
            yield tensor.name, "holds bytes of its own instead of the bundle's tensor"
    for tensor in _inner(model.graph):
        if tensor.data_location == tensor.EXTERNAL:
            yield from _misplaced(tensor, None)


def _misplaced(
    tensor: "onnx.TensorProto", known: tuple[str, int | None, int | None] | None
) -> Iterator[tuple[str, str]]:
    stated = {entry.key: entry.value for entry in tensor.external_data}
    where = f"{stated.get('location')!r}, bytes {stated.get('offset')} and {stated.get('length')} on"
    if known is None:
        yield tensor.name, f"takes its data from {where}, and is no tensor of this bundle"
        return
    file, offset, nbytes = known
    if stated != {"location": file, "offset": str(offset), "length": str(nbytes)}:
        yield tensor.name, f"takes its data from {where}; it lies in {file!r}, bytes {offset} and {nbytes} on"


def _inner(graph: "onnx.GraphProto") -> Iterator["onnx.TensorProto"]:
    """Yield every tensor of a graph that is no initializer of its own."""
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.HasField("t") else attribute.tensors)
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from inner.initializer
                yield from _inner(inner)


def _invalid(path: Path) -> str:
    """Return why onnx's full check refuses a file; empty where it does not."""
    from onnx import checker, shape_inference

    try:
        checker.check_model(str(path), full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError, RuntimeError, ValueError) as error:
        return f"is no valid ONNX model: {' '.join(str(error).split())}"
    return ""


def _interface(model: "onnx.ModelProto", graph: Graph) -> str:
    """Return how inputs or outputs differ from those of the graph; empty where they do not."""
    outputs = [value.name for value in model.graph.output]
    if outputs != list(graph.outputs):
        return f"gives {', '.join(outputs) or 'nothing'}; the architecture gives {', '.join(graph.outputs)}"
    strange = [value.name for value in model.graph.input if value.name not in graph.inputs]
    return f"takes {', '.join(strange)}, which the architecture does not" if strange else ""


RULES = (
    Rule(
        "CK503",
        "onnx-invalid",
        Severity.ERROR,
        4,
        "model.onnx is no valid ONNX model, or not of the inputs and outputs that the architecture names.",
        "onnx's full check infers every shape; what it refuses, some runtime will refuse too. A graph of "
        "other inputs or outputs is not the network that the manifest describes.",
        "`ckptkit export onnx BUNDLE` writes it anew.",
        musts=("DEP-007",),
    ),
    Rule(
        "CK504",
        "onnx-stale",
        Severity.ERROR,
        4,
        "model.onnx was made for other weights: the content digest in its metadata is not the manifest's.",
        "Weights were replaced and the graph was not. It may still run, on bytes that it was not made for.",
        "`ckptkit export onnx BUNDLE` writes it anew.",
        musts=("DEP-008",),
    ),
    Rule(
        "CK505",
        "onnx-external-data",
        Severity.ERROR,
        4,
        "A tensor of model.onnx does not take its bytes from where the manifest places that tensor.",
        "The weights lie once, in model.safetensors. A graph that reads another file, another place, or "
        "bytes of its own computes with something that no digest of a tensor covers; a location outside the "
        "bundle lets it read files of the machine.",
        "`ckptkit export onnx BUNDLE` writes it anew. Treat a location outside the bundle as an attack.",
        musts=("DEP-009",),
    ),
)
