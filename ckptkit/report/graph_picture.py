"""What a picture of a checkpoint's network says besides its boxes: title, open questions, assumptions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from ckptkit.errors import ArchitectureError
from ckptkit.graph.document import refuse_malformed
from ckptkit.model.architecture import Graph, graph_from_json
from ckptkit.model.results import Inspection
from ckptkit.report.graph_outline import Outline, outline

NOT_STATED = "which network is it? neither the file nor a manifest says"


@dataclass(frozen=True, slots=True)
class Picture:
    """One network to draw, or why there is none.

    Attributes:
        path: The checkpoint, as the user named it.
        title: Its file name.
        subtitle: Format and algorithm.
        family: The family that recovery named; empty where none.
        graph: As the checkpoint or recovery has it.
        outline: Its blocks; None where there is no graph.
        questions: Why there is no graph; what is open.
        assumed: Fields that a profile supplied, one line each.
    """

    path: str
    title: str
    subtitle: str
    family: str = ""
    graph: Graph | None = None
    outline: Outline | None = None
    questions: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


def picture(found: Inspection) -> Picture:
    """Return what is drawn for one inspection; a malformed graph is a picture that says so."""
    graph, drawn, questions = None, None, _lines(found.recovery, "questions")
    try:
        graph = _graph(found.architecture)
        drawn = outline(graph) if graph is not None else None
    except ArchitectureError as error:
        questions = (f"the graph is malformed: {error}",)
    if drawn is None and not questions:
        questions = (NOT_STATED,)
    return Picture(
        found.path,
        PurePath(found.path).name or found.path,
        " · ".join([found.format, *_algorithm(found.model_config)]),
        _family(found),
        graph if drawn is not None else None,
        drawn,
        questions if drawn is None else (),
        _lines(found.recovery, "assumed"),
    )


def _graph(architecture: object) -> Graph | None:
    if not isinstance(architecture, Mapping):
        return None
    refuse_malformed(architecture)
    graph = architecture.get("graph")
    return graph_from_json(graph) if isinstance(graph, Mapping) else None


def _algorithm(config: object) -> list[str]:
    named = config.get("algorithm") if isinstance(config, Mapping) else None
    return [named] if isinstance(named, str) else []


def _family(found: Inspection) -> str:
    for document in (found.architecture, found.recovery):
        named = document.get("family") if isinstance(document, Mapping) else None
        if isinstance(named, str) and named:
            return named
    return ""


def _lines(document: object, key: str) -> tuple[str, ...]:
    lines = document.get(key) if isinstance(document, Mapping) else None
    return tuple(str(one) for one in lines) if isinstance(lines, list | tuple) else ()
