"""CK503, CK504, CK505: the ONNX file of a bundle, before anything runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ckptkit.checks import Rule
from ckptkit.checks.view import (
    TensorEntry,
    bundle_of,
    file_entries,
    manifest_of,
    member_place,
    shortened,
    tensor_entries,
)
from ckptkit.errors import CkptkitError
from ckptkit.layers.onnx_scope import ELEMENTS
from ckptkit.model.architecture import Graph
from ckptkit.model.bundle import MemberFacts
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.manifest import MODEL

if TYPE_CHECKING:
    import onnx
    from google.protobuf.message import Message

GRAPH_ROLE = "graph"
MAX_BYTES = 64 << 20
"""A graph without its weights is far smaller."""
CONTENT_DIGEST = "ckptkit.content_digest"
_OUTSIDE_FIELDS = {"name", "doc_string", "dims", "data_type", "data_location", "external_data"}
"""What a tensor with its data in a file has set; bytes beside them would give it two readings."""
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
    """Yield each tensor of the model that is not exactly the bundle's tensor of its name."""
    weights = {entry.path for entry in file_entries(checkpoint) if entry.role == MODEL}
    tensors = {entry.name: entry for entry in tensor_entries(checkpoint) if entry.file in weights}
    for tensor in model.graph.initializer:
        known = tensors.get(tensor.name)
        if tensor.data_location == tensor.EXTERNAL:
            yield from _misplaced(tensor, known)
        elif known is not None and known.nbytes:
            yield tensor.name, "holds bytes of its own instead of the bundle's tensor"
    rest = type(model)()
    rest.CopyFrom(model)
    del rest.graph.initializer[:]
    for tensor in _tensors(rest):
        if tensor.data_location == tensor.EXTERNAL:
            yield from _misplaced(tensor, None)


def _misplaced(tensor: "onnx.TensorProto", known: TensorEntry | None) -> Iterator[tuple[str, str]]:
    stated = [(entry.key, entry.value) for entry in tensor.external_data]
    last = dict(stated)
    where = f"{last.get('location')!r}, bytes {last.get('offset')} and {last.get('length')} on"
    if known is None:
        yield tensor.name, f"takes its data from {where}, and is no tensor of this bundle"
        return
    wanted = {"location": known.file, "offset": str(known.offset), "length": str(known.nbytes)}
    if last != wanted:
        place = f"{known.file!r}, bytes {known.offset} and {known.nbytes} on"
        yield tensor.name, f"takes its data from {where}; it lies in {place}"
    elif len(stated) > len(last):  # readers differ in which one they take
        yield tensor.name, "states twice where its data lies"
    elif inside := {field.name for field, _ in tensor.ListFields()} - _OUTSIDE_FIELDS:
        yield tensor.name, f"has {', '.join(sorted(inside))} beside its data outside"
    elif tuple(tensor.dims) != known.shape or tensor.data_type != _element(tensor, known.dtype):
        shown = f"{known.dtype} {list(known.shape)}"
        yield tensor.name, f"reads the bundle's {shown} as type {tensor.data_type} {list(tensor.dims)}"


def _element(tensor: "onnx.TensorProto", dtype: str) -> int:
    """Return ONNX's number for an element type; 0, its `UNDEFINED`, for one that it lacks."""
    name = ELEMENTS.get(dtype)
    return int(tensor.DataType.Value(name)) if name else 0


def _tensors(message: "Message") -> Iterator["onnx.TensorProto"]:
    """Yield every tensor in a part of a model: in subgraphs, attributes and functions too."""
    from onnx import TensorProto

    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        # Not `isinstance`: a repeated field is a list of its own kind.
        for inner in [value] if hasattr(value, "ListFields") else value:
            if isinstance(inner, TensorProto):
                yield inner
            else:
                yield from _tensors(inner)


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
