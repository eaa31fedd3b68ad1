"""CK501, CK502: whether the network runs, and gives what it is recorded to give."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ckptkit.checks import Rule, onnx_file
from ckptkit.checks.architecture import broken_weights, check_fit, resolved
from ckptkit.checks.differing import Difference, Recorded, compare, first_layer
from ckptkit.checks.view import DEPLOY, bundle_of, manifest_of, manifest_place, member_place
from ckptkit.errors import ArchitectureError, CkptkitError
from ckptkit.graph.onnx_model import taken
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.storage.safetensors_file import open_safetensors

if TYPE_CHECKING:
    from ckptkit.model.bundle import MemberFacts

VECTORS_ROLE = "conformance"
MAKE = "ckptkit export onnx BUNDLE makes both"
DEFAULT = 1e-05


def check(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report what keeps a bundle from being run, or from giving the recorded outputs."""
    bundle, found = bundle_of(checkpoint), resolved(checkpoint)
    if bundle is None or bundle.encoding != DEPLOY or found is None or any(check_fit(checkpoint)):
        return
    graph = found[0]
    absent = list(_absent(checkpoint))
    yield from (
        Finding("CK501", Severity.ERROR, message, manifest_place(checkpoint), fix=MAKE) for message in absent
    )
    member = onnx_file.member_of(checkpoint, onnx_file.GRAPH_ROLE)
    problems = list(onnx_file.problems(checkpoint, member, graph)) if member is not None else []
    yield from problems
    if member is None or absent or problems or broken_weights(checkpoint):
        return
    recorded = recorded_of(checkpoint, graph)
    if isinstance(recorded, str):
        place = member_place(checkpoint, _vectors_path(checkpoint))
        yield Finding("CK501", Severity.ERROR, recorded, place, fix=MAKE)
        return
    yield from _run(checkpoint, graph, member, recorded)


def _absent(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield each part that is missing."""
    if onnx_file.member_of(checkpoint, onnx_file.GRAPH_ROLE) is None:
        yield "has no model.onnx: there must be exactly one file with the role graph"
    if onnx_file.member_of(checkpoint, VECTORS_ROLE) is None:
        yield "has no recorded outputs: there must be exactly one file with the role conformance"
    elif not isinstance(manifest_of(checkpoint).get("conformance"), Mapping):
        yield "has recorded outputs, and its manifest does not describe them (conformance is null)"


def _vectors_path(checkpoint: Checkpoint) -> str:
    member = onnx_file.member_of(checkpoint, VECTORS_ROLE)
    return member.path if member is not None else ""


def recorded_of(checkpoint: Checkpoint, graph: Graph) -> Recorded | str:
    """Return the recorded inputs and outputs, or why they cannot be used."""
    member = onnx_file.member_of(checkpoint, VECTORS_ROLE)
    stated = manifest_of(checkpoint).get("conformance")
    if member is None or member.source is None or not isinstance(stated, Mapping):
        return "cannot be read"
    if stated.get("file") != member.path:
        return f"conformance names the file {stated.get('file')!r}"
    try:
        tensors = {name: one.array() for name, one in open_safetensors(member.source).tensors().items()}
    except CkptkitError as error:
        return f"cannot be read: {error.what}"
    inputs = {name: tensors.pop(f"input.{name}", None) for name in taken(graph)}
    outputs = {name: tensors.pop(f"output.{name}", None) for name in graph.outputs}
    lacking = [name for name, value in (inputs | outputs).items() if value is None]
    if lacking or tensors:
        surplus = f"holds {', '.join(sorted(tensors))}, which no input or output is" if tensors else ""
        return " and ".join(
            filter(None, (f"does not record {', '.join(lacking)}" if lacking else "", surplus))
        )
    tolerance = stated.get("tolerance")
    limits = tolerance if isinstance(tolerance, Mapping) else {}
    return Recorded(
        {name: value for name, value in inputs.items() if value is not None},
        {name: value for name, value in outputs.items() if value is not None},
        float(limits.get("absolute", DEFAULT)),
        float(limits.get("relative", DEFAULT)),
    )


def _run(
    checkpoint: Checkpoint, graph: Graph, member: "MemberFacts", recorded: Recorded
) -> Iterator[Finding]:
    from ckptkit.graph.evaluation import by_runtime

    place = member_place(checkpoint, member.path)
    try:
        got = by_runtime(Path(checkpoint.path, member.path).resolve(), recorded.inputs)
    except ArchitectureError as error:
        yield Finding("CK503", Severity.ERROR, error.what, place, fix=onnx_file.AGAIN)
        return
    differing: list[Difference] = list(compare(got, recorded))
    if not differing:
        return
    model = onnx_file.parsed(member)
    layer = "" if isinstance(model, str) else first_layer(model, graph, checkpoint.tensors, recorded)
    for difference in differing:
        message = f"{difference}; {layer}" if layer else str(difference)
        yield Finding("CK502", Severity.ERROR, message, place, difference.output, onnx_file.AGAIN)


RULES = (
    Rule(
        "CK501",
        "not-runnable",
        Severity.ERROR,
        4,
        "A part that level 4 needs is missing or cannot be used: model.onnx, the recorded inputs and "
        "outputs, or their description in the manifest.",
        "Level 4 says that a runtime gives what the network gave. Without a graph there is nothing to "
        "run, without recorded outputs nothing to compare with.",
        "`ckptkit export onnx BUNDLE` makes both; it needs `pip install 'ckptkit[onnx]'`.",
        musts=("DEP-005",),
        check=check,
    ),
    Rule(
        "CK502",
        "outputs-differ",
        Severity.ERROR,
        4,
        "ONNX Runtime does not give the recorded outputs for the recorded inputs.",
        "Either the graph computes something else than the network did, or the runtime does. The message "
        "names the first layer whose values differ from those of a graph that is built anew from the "
        "architecture and the tensors.",
        "`ckptkit export onnx BUNDLE` writes graph and outputs anew. If the difference stays, report it "
        "with the versions of ONNX Runtime and of the evaluator in the manifest.",
        musts=("DEP-006",),
    ),
)
