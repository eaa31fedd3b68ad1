"""What a checkpoint can become: the level that a bundle made from it reaches, and why no higher one."""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.errors import ArchitectureError
from ckptkit.graph.document import graph_of
from ckptkit.graph.evaluation import live_names, non_finite
from ckptkit.graph.shapes import infer, misfits
from ckptkit.model import manifest
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.extras import install_command, missing

DESCRIBED = "level 3 reconstructable: an architecture graph"
RUNS = "level 4 deployable"


@dataclass(frozen=True, slots=True)
class Reach:
    """The level that a result reaches.

    Attributes:
        level: 0 to 4.
        lacks: What the next level lacks, one line; empty at the highest.
        fix: What to do about it; empty where nothing is known.
    """

    level: int
    lacks: str = ""
    fix: str = ""


def questions(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return what keeps a checkpoint's graph from being built, as recovery asked it."""
    found = checkpoint.recovery or manifest.carried(checkpoint).get("recovery")
    asked = found.get("questions") if isinstance(found, Mapping) else ()
    return tuple(str(one) for one in asked) if isinstance(asked, list) else ()


def open_question(checkpoint: Checkpoint) -> str:
    """Return all open questions in one line; empty where there is none."""
    return "; ".join(questions(checkpoint))


def fitting_graph(checkpoint: Checkpoint) -> Graph | None:
    """Return the graph of a checkpoint; None where it has none.

    Raises:
        ArchitectureError: It is not well formed, or the tensors do not fit it.
    """
    graph = graph_of(checkpoint)
    if graph is None:
        return None
    for name, problem in misfits(infer(graph), checkpoint.tensors):
        raise ArchitectureError(f"tensor {name}: {problem}", where=checkpoint.path)
    return graph


def broken_weights(graph: Graph, checkpoint: Checkpoint) -> str:
    """Name the tensors with values that are no numbers; empty where all are finite."""
    names = non_finite(checkpoint.tensors, live_names(graph, checkpoint.tensors))
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"CK403 NaN or infinity in {', '.join(names[:3])}{more}"


def reach_described(checkpoint: Checkpoint) -> Reach:
    """Return what a torch dict made from `checkpoint` reaches."""
    graph = fitting_graph(checkpoint)
    if graph is None:
        question = open_question(checkpoint)
        return Reach(2, f"{DESCRIBED}: {question}" if question else DESCRIBED)
    return Reach(3, f"{RUNS}: model.onnx, which only a deploy bundle has", "convert it --to deploy")


def reach_deployed(checkpoint: Checkpoint) -> Reach:
    """Return what a deploy bundle made from `checkpoint` reaches."""
    graph = fitting_graph(checkpoint)
    if graph is None:
        return reach_described(checkpoint)
    package = missing("onnx", "onnx")
    if package:
        what = f"{RUNS}: model.onnx needs the package {package}, which is not installed"
        return Reach(3, what, install_command("onnx"))
    broken = broken_weights(graph, checkpoint)
    if broken:
        return Reach(3, f"{RUNS}: {broken}", "look for the step of training that made them")
    return Reach(4)
