"""The architecture that a checkpoint brings along, as a graph."""

import json
from collections.abc import Mapping

from ckptkit.errors import ArchitectureError
from ckptkit.graph.shapes import problems
from ckptkit.model.architecture import Graph, graph_from_json
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import carried


def architecture_of(checkpoint: Checkpoint) -> Mapping[str, object] | None:
    """Return the `architecture` object: what recovery found, else what a v2 source carries."""
    if checkpoint.architecture is not None:
        return checkpoint.architecture
    found = carried(checkpoint).get("architecture")
    return found if isinstance(found, Mapping) else None


def graph_of(checkpoint: Checkpoint) -> Graph | None:
    """Return the graph of a checkpoint's architecture; None where it has none.

    Raises:
        ArchitectureError: The `architecture` object breaks its schema.
    """
    document = architecture_of(checkpoint)
    if document is None:
        return None
    if document is not checkpoint.architecture:
        # What recovery made is our own; what a file says is anybody's.
        refuse_malformed(document)
    graph = document.get("graph")
    return graph_from_json(graph) if isinstance(graph, Mapping) else None


def refuse_malformed(document: Mapping[str, object]) -> None:
    """Refuse an `architecture` object that its schema does not allow.

    Raises:
        ArchitectureError: The first problem, with its place.
    """
    for problem in problems(json.dumps(document)):
        raise ArchitectureError(problem.message, where=f"/architecture{problem.pointer}")
