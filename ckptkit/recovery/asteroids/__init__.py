"""Asteroids DQN: dueling, distributional, noisy in all combinations, and an older network.

The older one has four convolutions. Fields are named as in the system's own
`model_config`, which versioned files carry and which then proves them; tensors that say otherwise are
a question. What no file holds (strides, activation) comes from profile `asteroids`.
"""

from collections.abc import Mapping

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.real import real
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.recovery import Family
from ckptkit.recovery.asteroids import network
from ckptkit.recovery.asteroids.counterparts import alternatives
from ckptkit.recovery.asteroids.heads import heads
from ckptkit.recovery.asteroids.images import image
from ckptkit.recovery.asteroids.reading import read
from ckptkit.recovery.asteroids.stated import Stated
from ckptkit.recovery.canonical import canonical
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.relations import Misfit, UnlikeError, fits

NAME = "asteroids"
OWN_KEYS = frozenset(["n_action", "dueling_dqn", "distributional_dqn", "noisy_networks"])
"""Keys that together name the system where a `model_config` has them."""


def why_not(checkpoint: Checkpoint) -> Misfit | None:
    """Return the first relation that keeps a checkpoint from being of this family; None where all hold."""
    names = canonical(checkpoint.tensors)
    try:
        read(names)
    except UnlikeError as error:
        return error.explained(names)
    return None


def claims(checkpoint: Checkpoint) -> bool:
    """Whether all relations of the family hold."""
    return fits(lambda: read(canonical(checkpoint.tensors)))


def recover(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return the architecture of a checkpoint that the family claims."""
    reading = read(canonical(checkpoint.tensors))
    config = _config(checkpoint.model_config)
    findings = Findings(NAME, reading.names, hints, named=config.keys() >= OWN_KEYS)
    stated = Stated(config, findings)
    shape = image(reading, stated, findings)
    chosen = heads(reading, stated, findings)
    std = stated.take("noisy_std_init")
    if std is None:
        findings.unknown("noisy_std_init")
    findings.supply("conv_strides", [stride for _, stride in reading.windows])
    findings.supply("conv_padding", 0)
    findings.supply("activation", "ReLU")
    if not findings.profile:
        findings.ask(
            "which strides and activation has it? no file names the system that made it (give --assume "
            "asteroids to take that system's)"
        )
        findings.questions.sort(key=lambda question: "--assume" not in question)
    settled = network.Settled(shape, chosen.actions, chosen.atoms, chosen.values, real(std))
    return findings.result(reading.unexplained, lambda builder: network.draw(builder, reading, settled))


def _config(tree: Mapping[str, object]) -> Mapping[str, object]:
    """Return the system's own words: `model_config`, or what it has under that name."""
    inner = tree.get("model_config")
    return inner if isinstance(inner, Mapping) else tree


FAMILY = Family(NAME, claims, recover, why_not, alternatives)
