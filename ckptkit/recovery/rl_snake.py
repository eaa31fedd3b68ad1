"""RL-Snake's LinearQNet alone: the extractor's state dict, without the policy that it stands in front of.

Names and shapes prove the number of layers and their one width. That ReLU follows each (or LayerNorm,
ReLU and Dropout in the earlier class) is the word of profile `rl-snake`.
"""

import re

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.recovery import Family, sb3
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.canonical import Canonical, canonical
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.relations import Misfit, Relations, UnlikeError, fits
from ckptkit.recovery.sb3 import blocks
from ckptkit.recovery.sb3.rl_snake import CLASS, layers, layout
from ckptkit.recovery.sb3_policy.kinds import kind_of

NAME = "rl-snake"
PLACE = re.compile(r"((?:(?:[a-z_]+\.)?(?:pi_|vf_)?features?_extractor\.)?)linear\.[0-9]+\.(?:weight|bias)")
"""A name of the extractor; before `linear` stands at most the module that holds it."""
MOST_LAYERS = 1000


class _Reading:
    """The extractor as its tensors tell it.

    Attributes:
        path: The file's own path of the Sequential.
        weights: The file's own names of the Linear weights.
        size: Numbers of an observation.
        width: Features of every layer.
        normed: Whether a LayerNorm follows each Linear.
        unexplained: Tensors that have no place in it.
    """

    def __init__(self, names: Canonical) -> None:
        relations = Relations(names)
        prefix = _prefix(names)
        count = 0
        self.normed = relations.has(f"{prefix}linear.1.weight")
        step = 4 if self.normed else 2
        while count < MOST_LAYERS and (count == 0 or relations.below(f"{prefix}linear.{step * count}")):
            path = f"{prefix}linear.{step * count}"
            relations.layer(path, "features", "features" if count else "observation")
            if self.normed:
                relations.layer(f"{prefix}linear.{step * count + 1}", "features")
            count += 1
        self.unexplained = relations.unexplained()
        inside = [own for own in self.unexplained if PLACE.fullmatch(own.removeprefix(names.prefix))]
        if inside:
            raise UnlikeError(inside[0], f"no {CLASS} of {count} layers has {inside[0]}")
        first = f"{prefix}linear.0"
        self.path = names.module(first).removesuffix(".0")
        self.weights = [names.source[f"{prefix}linear.{step * i}.weight"] for i in range(count)]
        self.size, self.width = relations.sizes["observation"], relations.sizes["features"]


def _prefix(names: Canonical) -> str:
    """Return what stands before `linear` in most names, and in all that have it."""
    places = {name: match.group(1) for name in names.tensors if (match := PLACE.fullmatch(name))}
    strangers = [own for name, own in names.source.items() if name not in places]
    if not places:
        raise UnlikeError("", "there is no linear.0.weight", missing="linear.0.weight")
    if len(set(places.values())) > 1 or len(strangers) >= len(places) or _is_policy(names):
        other = (strangers or list(names.source.values()))[0]
        raise UnlikeError(other, f"{other} is of more than a {CLASS}")
    return next(iter(places.values()))


def _is_policy(names: Canonical) -> bool:
    """Whether it has the names of a whole policy, which another family looks at."""
    try:
        kind_of(names.tensors)
    except UnlikeError:
        return False
    return True


def why_not(checkpoint: Checkpoint) -> Misfit | None:
    """Return the first relation that keeps a checkpoint from being of this family; None where all hold."""
    names = canonical(checkpoint.tensors)
    if sb3.claims(checkpoint):
        return Misfit("", "the file's own data says which policy it is")
    try:
        _Reading(names)
    except UnlikeError as error:
        return error.explained(names)
    return None


def claims(checkpoint: Checkpoint) -> bool:
    """Whether all relations of the family hold."""
    return not sb3.claims(checkpoint) and fits(lambda: _Reading(canonical(checkpoint.tensors)))


def recover(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return the architecture of a checkpoint that the family claims."""
    names = canonical(checkpoint.tensors)
    reading = _Reading(names)
    findings = Findings(NAME, names, hints, named=False)
    findings.prove("features_dim", reading.width, reading.weights[-1])
    findings.prove("n_layers", len(reading.weights), *reading.weights)
    findings.prove("observation_size", reading.size, reading.weights[0])
    _compare(checkpoint, findings)
    shape = findings.flat_shape(reading.size, reading.weights[0])
    findings.supply("activation", "ReLU")
    findings.supply("layout", layout(reading.normed))
    if not findings.profile:
        findings.ask(
            f"is it RL-Snake's {CLASS}? no tensor tells what stands between its layers (give --assume {NAME} "
            "to take that system's)"
        )

    def draw(builder: GraphBuilder) -> None:
        x = blocks.flatten(builder, builder.input("obs", "F32", (None, *shape)))
        builder.outputs = {"features": layers(builder, reading.path, x, normed=reading.normed)}

    return findings.result(reading.unexplained, draw)


def _compare(checkpoint: Checkpoint, findings: Findings) -> None:
    """Ask where keyword arguments beside the weights contradict them."""
    for name in ("features_dim", "n_layers"):
        said, told = checkpoint.model_config.get(name), findings.config[name]
        if said is not None and said != told.value:
            findings.ask(
                f"which holds? model_config says {name} = {said}, and {told.evidence[-1]} {told.value}"
            )


FAMILY = Family(NAME, claims, recover, why_not)
