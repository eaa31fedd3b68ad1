"""CK401, CK402, CK403: the architecture graph against itself and against the tensors."""

from collections.abc import Iterator

from ckptkit.checks import Rule
from ckptkit.checks.view import at, manifest_of, manifest_place, restore_hint, tensor_entries
from ckptkit.errors import ArchitectureError, UnreadableCheckpointError
from ckptkit.graph.document import graph_of
from ckptkit.graph.shapes import Step, infer, misfits
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity


def resolved(checkpoint: Checkpoint) -> tuple[Graph, tuple[Step, ...]] | None:
    """Return the graph of a bundle's manifest and its steps; None where it has none or a broken one."""
    if not manifest_of(checkpoint).get("architecture"):
        return None
    try:
        graph = graph_of(checkpoint)
        return (graph, infer(graph)) if graph is not None else None
    except ArchitectureError:
        return None


def check_graph(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report what keeps the graph from being a network."""
    if manifest_of(checkpoint).get("architecture") is None:
        return
    try:
        graph = graph_of(checkpoint)
        if graph is not None:
            infer(graph)
    except ArchitectureError as error:
        message = f"{error.where}: {error.what}" if error.where else error.what
        place, pointer = manifest_place(checkpoint), at(checkpoint, "/architecture/graph")
        yield Finding("CK401", Severity.ERROR, message, place, pointer, error.fix)


def check_fit(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report each tensor that the graph needs and lacks, cannot use, or does not use."""
    found = resolved(checkpoint)
    if found is None:
        return
    pointers = {entry.name: entry.pointer for entry in tensor_entries(checkpoint)}
    for name, problem in misfits(found[1], checkpoint.tensors):
        pointer = at(checkpoint, pointers.get(name, "/architecture/graph"))
        yield Finding(
            "CK402", Severity.ERROR, f"tensor {name}: {problem}", manifest_place(checkpoint), pointer
        )


def broken_weights(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the tensors that outputs depend on and that hold a NaN or an infinity."""
    from ckptkit.graph.evaluation import live_names, non_finite

    found = resolved(checkpoint)
    if found is None:
        return ()
    try:
        return non_finite(checkpoint.tensors, live_names(found[0], checkpoint.tensors))
    except UnreadableCheckpointError:
        return ()  # the rules on placement say what is wrong with its bytes


def check_finite(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report weights that are no numbers."""
    for name in broken_weights(checkpoint):
        message = f"tensor {name} holds NaN or infinity, and an output depends on it"
        place = manifest_place(checkpoint)
        yield Finding("CK403", Severity.ERROR, message, place, name, restore_hint(checkpoint))


RULES = (
    Rule(
        "CK401",
        "graph-malformed",
        Severity.ERROR,
        3,
        "The architecture graph is not a network: an unknown layer, a value that nothing before it gives "
        "(a cycle looks so), a shape that a layer cannot take, or a form that the schema does not allow.",
        "The graph is all that says how the weights are used. From a broken one no module and no ONNX "
        "model can be built, or, worse, two readers would build different ones.",
        "Convert the original again. A layer type that is unknown may be known to a newer ckptkit.",
        musts=("ARC-002", "ARC-003", "ARC-004", "ARC-005", "ARC-006", "ARC-007", "ARC-010"),
        check=check_graph,
    ),
    Rule(
        "CK402",
        "graph-misfit",
        Severity.ERROR,
        3,
        "A tensor and the architecture graph disagree: it is missing, left over, or does not fit.",
        "A network that leaves a tensor out, or fills one in, is not the network that was trained; a strict "
        "load refuses it.",
        "Convert the original again. If graph and tensors come from different trainings, one of them is "
        "the wrong file.",
        musts=("ARC-008", "ARC-009"),
        check=check_fit,
    ),
    Rule(
        "CK403",
        "weights-not-finite",
        Severity.ERROR,
        4,
        "A weight that outputs depend on is NaN or infinite.",
        "Such a network gives outputs that mean nothing, and different programs give different ones: where a "
        "comparison with NaN goes is not defined. The bundle stays verifiable and reconstructable, and no "
        "outputs are recorded for it.",
        "Take an earlier checkpoint: the training had diverged by this one.",
        musts=("DEP-010",),
        check=check_finite,
    ),
)
