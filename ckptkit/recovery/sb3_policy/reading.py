"""What the tensors of a policy say: which networks, which extractor, and every relation of their shapes.

The shapes are compared by writing the graph: each layer takes its sizes from its own tensors, so that
inference finds whatever does not belong together. What no value flows through is compared here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ckptkit.errors import ArchitectureError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.tensor import Tensor
from ckptkit.recovery.canonical import Canonical, canonical
from ckptkit.recovery.relations import MOST_SIZE, UnlikeError
from ckptkit.recovery.sb3_policy import drawing, extractors
from ckptkit.recovery.sb3_policy.extractors import Extractor
from ckptkit.recovery.sb3_policy.kinds import EXTRACTOR, Kind, first_columns, head_weight, kind_of, last_of

COPIES = (
    ("pi_features_extractor.", "features_extractor."),
    ("vf_features_extractor.", "features_extractor."),
    ("critic.features_extractor.", "actor.features_extractor."),
    ("actor_target.", "actor."),
    ("critic_target.", "critic."),
    ("q_net_target.", "q_net."),
    ("quantile_net_target.", "quantile_net."),
)
"""Modules that were made like another one: where both have a tensor, it has the same shape in both."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One policy as its tensors tell it.

    Attributes:
        names: The state dict.
        kind: Which networks it has.
        algorithm: The algorithm whose builder writes its graph.
        extractor: What is in front of them.
        rows: Numbers that the last layer of the policy gives.
        head: Canonical name of its weight.
        drawn: The graph with observations and actions of no particular meaning.
    """

    names: Canonical
    kind: Kind
    algorithm: str
    extractor: Extractor
    rows: int
    head: str
    drawn: drawing.Drawn

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors by canonical name, without those of an extractor that is not known."""
        return self.extractor.known(self.names.tensors)

    @property
    def unexplained(self) -> tuple[str, ...]:
        """The file's own names of all tensors that no layer uses."""
        own = set(self.drawn.unexplained) | (self.names.tensors.keys() - self.tensors.keys())
        return tuple(source for name, source in self.names.source.items() if name in own)


def read(checkpoint: Checkpoint) -> Reading:
    """Compare a state dict with the policies of Stable-Baselines3 and sb3-contrib.

    Raises:
        UnlikeError: It is none of them.
    """
    names = canonical(checkpoint.tensors)
    kind = kind_of(names.tensors)
    for name, tensor in names.tensors.items():
        if not all(0 < size <= MOST_SIZE for size in tensor.shape):
            raise UnlikeError(names.source[name], f"{names.source[name]} has an axis of no network's size")
    columns, _ = first_columns(names.tensors, kind)
    extractor = extractors.read(names.tensors, kind, columns)
    head = head_weight(names.tensors, kind)
    for name, what in _differences(extractor.known(names.tensors), head):
        raise UnlikeError(names.source[name], what)
    algorithm = _algorithm(kind, names.tensors)
    rows = names.tensors[head].shape[0]
    trial = drawing.trial(checkpoint, algorithm, extractor, rows)
    try:
        drawn = drawing.draw(checkpoint, algorithm, extractor.known(names.tensors), trial)
    except ArchitectureError as error:
        raise UnlikeError("", error.what) from None
    _check(drawn, names, kind)
    return Reading(names, kind, algorithm, extractor, rows, head, drawn)


def _check(drawn: drawing.Drawn, names: Canonical, kind: Kind) -> None:
    """Make sure that the graph fits; only a policy that was searched for can lack biases, and then all."""
    for name, what in drawn.problems:
        raise UnlikeError(
            names.source.get(name, ""), f"{name} {what}", missing="" if name in names.source else name
        )
    layers = [layer for layer in drawn.graph.layers if layer.type in ("Linear", "Conv2d")]
    bare = [layer.name for layer in layers if layer.attrs["bias"] is False]
    if bare and (kind.algorithm != "ARS" or len(bare) < len(layers)):
        raise UnlikeError(
            names.source[f"{bare[0]}.weight"], f"there is no {bare[0]}.bias", missing=f"{bare[0]}.bias"
        )
    if drawn.unexplained and kind.algorithm == "ARS":
        own = names.source[drawn.unexplained[0]]
        raise UnlikeError(own, f"a policy that was searched for has no {own}")


def _algorithm(kind: Kind, tensors: Mapping[str, Tensor]) -> str:
    """Return the algorithm whose builder fits; TQC and CrossQ have the names of SAC."""
    if kind.algorithm != "SAC":
        return kind.algorithm
    if any(name.endswith(".ra_mean") for name in tensors):
        return "CrossQ"
    last = last_of(tensors, "critic.qf0")
    return "TQC" if last and tensors[last].shape[0] > 1 else "SAC"


def _differences(tensors: Mapping[str, Tensor], head: str) -> Iterator[tuple[str, str]]:
    """Yield (tensor, what is wrong) for each shape that must be that of another one, and is not."""
    yield from _copies(tensors)
    rows, columns = tensors[head].shape
    value = tensors["value_net.weight"].shape if "value_net.weight" in tensors else ()
    wanted: dict[str, list[tuple[int, ...]]] = {
        "value_net.weight": [(1, *value[1:])],
        "log_std": [(rows,), (columns, rows), (columns, 1)],
        "actor.log_std": [(columns, rows), (columns, 1)],
        "actor.log_std.weight": [(rows, columns)],
    }
    for name, shapes in wanted.items():
        if name in tensors and tensors[name].shape not in shapes:
            words = " or ".join(str(list(shape)) for shape in shapes)
            yield name, f"{name} is {list(tensors[name].shape)}, and not {words}"


def _copies(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    for name, tensor in tensors.items():
        for copy, first in (*COPIES, *_critics(name)):
            other = f"{first}{name.removeprefix(copy)}"
            if name.startswith(copy) and other in tensors and tensors[other].shape != tensor.shape:
                yield name, f"{name} is {list(tensor.shape)}, and {other} {list(tensors[other].shape)}"


def _critics(name: str) -> list[tuple[str, str]]:
    owner, _, rest = name.partition(".qf")
    index = rest.partition(".")[0]
    return [(f"{owner}.qf{index}.", f"{owner}.qf0.")] if rest and not EXTRACTOR.match(name) else []
