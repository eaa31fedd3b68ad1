"""Write the graph of a policy whose `data` is lost: put words in its place, and let the builders read them.

The builders of `recovery.sb3` take spaces and keywords from a checkpoint. Here both come from tensors, a
profile and the user.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ckptkit.errors import ArchitectureError
from ckptkit.graph.shapes import infer, misfits
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.recovered import Field, Hints
from ckptkit.model.tensor import Tensor
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3 import BUILDERS, rl_snake
from ckptkit.recovery.sb3.activations import SLOPE
from ckptkit.recovery.sb3.policies import EXTRACTORS, FLATTEN, POLICIES
from ckptkit.recovery.sb3.policy import Policy
from ckptkit.recovery.sb3.rl_snake import CLASS as LINEAR
from ckptkit.recovery.sb3_policy.extractors import Extractor

REST = "…"
"""Key of what a Dict holds besides images; the policy's own keys are lost with its `data`."""
TENSORS = "the tensors"
"""Source of an extractor's class where no file names it."""
PROFILES = (rl_snake.PROFILE,)

Space = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Words:
    """What `data` would say.

    Attributes:
        observation: The space.
        action: The space; None where nothing says it, so that raw heads are the outputs.
        extractor: Class of the features extractor.
        by: Whether a file holds that class by `value` or by `reference`.
        keywords: Of the extractor, as a file beside the weights says them.
        source: Which file that is.
    """

    observation: Space
    action: Space | None
    extractor: ClassRef
    by: str
    keywords: Mapping[str, object]
    source: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A graph, and what writing it told.

    Attributes:
        graph: Under canonical names.
        config: Fields; `proven` ones by tensors, `assumed` ones by the table of defaults.
        assumed: The latter, one line each.
        problems: (tensor, what is wrong) for each that does not fit.
        unexplained: Canonical names of the tensors that no layer owns.
    """

    graph: Graph
    config: Mapping[str, Field]
    assumed: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]
    unexplained: tuple[str, ...]


def box(shape: list[int], low: float = -1.0, high: float = 1.0, dtype: str = "float32") -> Space:
    """Return a Box as `spec/manifest.md` states it."""
    return {"type": "Box", "shape": shape, "dtype": dtype, "low": low, "high": high}


def picture(shape: list[int]) -> Space:
    """Return the space of an image: bytes, channels first."""
    return box(shape, 0, 255, "uint8")


def discrete(n: int) -> Space:
    """Return a space of `n` choices."""
    return {"type": "Discrete", "n": n}


def trial(checkpoint: Checkpoint, algorithm: str, extractor: Extractor, rows: int) -> Words:
    """Return words under which every layer is written, whatever the lost ones were."""
    images = {key: image.smallest for key, image in extractor.images.items()}
    action = {"DQN": discrete(rows), "QRDQN": discrete(1), "ARS": discrete(rows)}.get(algorithm)
    return words(checkpoint, extractor, observation(extractor, images), action, told=False)


def observation(extractor: Extractor, images: Mapping[str, list[int]], shape: tuple[int, ...] = ()) -> Space:
    """Return the observation space: images of the given shapes, or numbers of `shape`."""
    if "" in images:
        return picture(images[""])
    if not images:
        return box(list(shape) or [extractor.size or extractor.width])
    parts = [{"key": key, "space": picture(image)} for key, image in images.items()]
    if extractor.rest:
        parts.append({"key": REST, "space": box([extractor.rest])})
    return {"type": "Dict", "spaces": parts}


def words(
    checkpoint: Checkpoint,
    extractor: Extractor,
    observed: Space,
    action: Space | None,
    *,
    told: bool = True,
) -> Words:
    """Return what stands in the place of the lost `data`.

    Args:
        checkpoint: What was read.
        extractor: What is in front of the networks.
        observed: The observation space.
        action: The action space; None where nothing says it.
        told: Whether the keywords beside the weights count.
    """
    said = checkpoint.model_config.get("features_extractor")
    said = said if told and isinstance(said, Mapping) else {}
    kwargs = said.get("kwargs")
    linear = extractor.kind == LINEAR
    own = ClassRef("rl_snake", LINEAR) if linear else ClassRef(EXTRACTORS, extractor.kind or FLATTEN)
    named = said.get("class")
    return Words(
        observation=observed,
        action=action,
        extractor=named if isinstance(named, ClassRef) else own,
        by=str(said.get("by", "reference")),
        keywords=kwargs if isinstance(kwargs, Mapping) else {},
        source=str(said.get("source", TENSORS)),
    )


def draw(checkpoint: Checkpoint, algorithm: str, tensors: Mapping[str, Tensor], said: Words) -> Drawn:
    """Write the graph.

    Args:
        checkpoint: What was read, for the release that it may state.
        algorithm: Whose builder to take.
        tensors: By canonical name.
        said: What stands in the place of `data`.

    Raises:
        ArchitectureError: The tensors are not those of such a policy.
    """
    policy = Policy(
        _stated(checkpoint, algorithm, tensors, said),
        algorithm,
        GraphBuilder(tensors),
        Hints(None, PROFILES),
        raw=said.action is None,
    )
    BUILDERS[algorithm](policy)
    graph, unexplained = policy.builder.graph(), policy.builder.unexplained()
    owned = {name: tensor for name, tensor in tensors.items() if name not in unexplained}
    try:
        problems = tuple(misfits(infer(graph), owned))
    except ArchitectureError as error:
        problems = (("", str(error)),)
    return Drawn(graph, policy.config, tuple(policy.assumed), problems, unexplained)


def _stated(checkpoint: Checkpoint, algorithm: str, tensors: Mapping[str, Tensor], said: Words) -> Checkpoint:
    kwargs = {"activation_fn": ClassRef("torch.nn", SLOPE)} if slopes(tensors) else {}
    spaces = {"observation": said.observation, "action": said.action or {}}
    extractor = {"class": said.extractor, "by": said.by, "kwargs": said.keywords, "source": said.source}
    return replace(
        checkpoint,
        tensors=tensors,
        model_config={
            "policy_class": _policy_class(algorithm, tensors),
            "policy_kwargs": kwargs,
            "features_extractor": extractor,
        },
        spaces=spaces,
        dropped=(),
    )


def _policy_class(algorithm: str, tensors: Mapping[str, Tensor]) -> ClassRef:
    """Return a class of the algorithm; ARS has one for a network without hidden layers."""
    linear = algorithm == "ARS" and "action_net.2.weight" not in tensors
    names = [name for name, (algorithms, _) in POLICIES.items() if algorithm in algorithms]
    module, _, name = names[-1 if linear else 0].rpartition(".")
    return ClassRef(module, name)


def slopes(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the slopes of PReLU among the tensors: vectors of one at an odd index, without a bias."""
    found = []
    for name, tensor in tensors.items():
        path, _, last = name.rpartition(".")
        index = path.rpartition(".")[2]
        odd = last == "weight" and index.isdecimal() and int(index) % 2 == 1
        if odd and tensor.shape == (1,) and f"{path}.bias" not in tensors:
            found.append(name)
    return found
