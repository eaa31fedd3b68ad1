"""CK404: whether the network takes and gives what the spaces say."""

from collections.abc import Iterator, Mapping, Sequence

from ckptkit.checks import Rule
from ckptkit.checks.architecture import resolved
from ckptkit.checks.view import at, manifest_of, manifest_place
from ckptkit.graph.shapes import Step
from ckptkit.model.architecture import Graph, Shape
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity

OBSERVATION = "obs"
HEADS = ("logits", "q_values", "mean_actions")
"""Outputs whose last axis is the action space's size."""


def check_spaces(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report an observation space whose shape no input has, and an action space whose size no head has."""
    found = resolved(checkpoint)
    spaces = manifest_of(checkpoint).get("spaces")
    if found is None or not isinstance(spaces, Mapping):
        return
    graph, steps = found
    problems = (
        ("observation", _observation(graph, spaces.get("observation"))),
        ("action", _action(graph, steps, spaces.get("action"))),
    )
    for side, problem in problems:
        if problem:
            pointer = at(checkpoint, f"/spaces/{side}")
            yield Finding("CK404", Severity.WARNING, problem, manifest_place(checkpoint), pointer)


def _observation(graph: Graph, space: object) -> str:
    given = graph.inputs.get(OBSERVATION)
    if given is None or not isinstance(space, Mapping) or space.get("type") != "Box":
        return ""
    shape = space.get("shape")
    wanted = list(given.shape[1:])
    if not isinstance(shape, list) or sorted(shape) == sorted(map(int, filter(None, wanted))):
        return ""  # a picture may come with its channels last, and reach the network with them first
    return f"the observation space has shape {shape}, and the network takes {wanted}"


def _action(graph: Graph, steps: Sequence[Step], space: object) -> str:
    size = _size(space)
    for name in HEADS:
        value = graph.outputs.get(name)
        shape = _shape(steps, value) if value is not None else None
        if shape and size and shape[-1] not in (None, size):
            return f"the action space has {size} {_unit(space)}, and the output {name} has {shape[-1]}"
    return ""


def _shape(steps: Sequence[Step], value: str) -> Shape | None:
    name, _, index = value.partition(":")
    return next((step.gives[int(index or 0)].shape for step in steps if step.layer.name == name), None)


def _size(space: object) -> int:
    """Return how many numbers a head has for an action space; 0 where that is not known here."""
    if not isinstance(space, Mapping):
        return 0
    match space.get("type"), space.get("n"), space.get("nvec"), space.get("shape"):
        case "Discrete", int(n), _, _:
            return n
        case "MultiDiscrete", _, [*parts], _ if all(isinstance(part, int) for part in parts):
            return sum(parts)
        case "Box" | "MultiBinary", _, _, [*sizes] if all(isinstance(size, int) for size in sizes):
            count = 1
            for size in sizes:
                count *= size
            return count
    return 0


def _unit(space: object) -> str:
    kind = space.get("type") if isinstance(space, Mapping) else ""
    return "numbers" if kind == "Box" else "choices"


RULES = (
    Rule(
        "CK404",
        "spaces-misfit",
        Severity.WARNING,
        3,
        "The network takes observations of another shape, or gives another number of actions, than the "
        "spaces say.",
        "Programs size their buffers and their environments by the spaces. The network is sound by itself, "
        "and meets something else there than it was made for.",
        "See which of the two is right. Convert the original again if the manifest was edited.",
        check=check_spaces,
    ),
)
