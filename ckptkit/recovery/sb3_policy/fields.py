"""The fields of a policy beside its spaces: algorithm, sizes, and what only defaults say."""

from ckptkit.model.recovered import Status
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.sb3 import rl_snake
from ckptkit.recovery.sb3.policies import COMBINED, FLATTEN
from ckptkit.recovery.sb3.rl_snake import CLASS as LINEAR
from ckptkit.recovery.sb3.rl_snake import PROFILE as SNAKE
from ckptkit.recovery.sb3_policy.drawing import TENSORS, Drawn, Words, slopes
from ckptkit.recovery.sb3_policy.reading import Reading

SHARING = "share_features_extractor"
ALIKE = (
    ("pi_features_extractor.", "vf_features_extractor."),
    ("features_extractor.", "vf_features_extractor."),
    ("actor.features_extractor.", "critic.features_extractor."),
)
"""Extractors that are one where the policy shares it."""
EXTRACTOR = "features_extractor_class"
ACTIVATION = "activation_fn"


def told(reading: Reading, findings: Findings) -> None:
    """Record what tensors tell."""
    _algorithm(reading, findings)
    for name, field in reading.drawn.config.items():
        if field.status is Status.PROVEN and name not in (EXTRACTOR, ACTIVATION, "n_quantiles"):
            evidence = [reading.names.source.get(one, one) for one in field.evidence]
            findings.prove(name, field.value, *evidence)
    if reading.algorithm == "TQC":
        found = reading.drawn.config["n_quantiles"]
        findings.prove("n_quantiles", found.value, *(reading.names.source.get(e, e) for e in found.evidence))
    _sharing(reading, findings)
    _extractor(reading, findings)
    found_slopes = [reading.names.source[name] for name in slopes(reading.names.tensors)]
    if found_slopes:
        findings.prove(ACTIVATION, "PReLU", *found_slopes)


def _sharing(reading: Reading, findings: Findings) -> None:
    """Leave sharing open where copies are equal: a cast, or a format without storages, takes them apart."""
    found = findings.config.get(SHARING)
    if found is None or found.value is True:
        return
    tensors = reading.names.tensors
    for one, other in ALIKE:
        pairs = [(name, f"{other}{name[len(one) :]}") for name in tensors if name.startswith(one)]
        small = [(a, b) for a, b in pairs if a.endswith("bias") and b in tensors]
        if small and all(tensors[a].tobytes() == tensors[b].tobytes() for a, b in small):
            names = [reading.names.source[name] for name in small[0]]
            findings.constrain(SHARING, True, [False], *names, "own storages of equal values")


def _algorithm(reading: Reading, findings: Findings) -> None:
    alike = _alike(reading)
    evidence = (reading.names.source[reading.head], f"the names of {reading.kind.id} networks")
    if len(alike) > 1:
        findings.constrain("algorithm", alike[0], alike[1:], *evidence)
    else:
        findings.prove("algorithm", alike[0], *evidence)


def _alike(reading: Reading) -> tuple[str, ...]:
    """Return the algorithms whose policies have these tensors, the likeliest first."""
    tensors = reading.names.tensors
    match reading.algorithm:
        case "PPO":
            return ("PPO", "A2C", "TRPO", *(() if "log_std" in tensors else ("MaskablePPO",)))
        case "SAC":
            critics = any(name.startswith("critic.") for name in tensors)
            target = any(name.startswith("critic_target.") for name in tensors)
            return ("SAC", "TQC") if critics and target else ("SAC", "TQC", "CrossQ")
        case "TD3":
            twins = any(name.startswith("critic.qf1.") for name in tensors)
            return ("TD3", "DDPG") if twins or not _has_critic(reading) else ("DDPG", "TD3")
        case other:
            return (other,)


def _has_critic(reading: Reading) -> bool:
    return any(name.startswith("critic.qf0.") for name in reading.names.tensors)


def _extractor(reading: Reading, findings: Findings) -> None:
    extractor = reading.extractor
    evidence = [own for name, own in reading.names.source.items() if name.startswith(f"{extractor.path}.")]
    width = reading.drawn.config.get("features_dim") or reading.drawn.config.get("cnn_output_dim")
    if width is None:
        findings.prove("features_dim", extractor.width, f"the first layer takes {extractor.width}")
    if not extractor.kind:
        findings.unknown(EXTRACTOR)
    elif extractor.kind == FLATTEN:
        findings.constrain(EXTRACTOR, FLATTEN, [COMBINED], "it has no tensors")
    elif findings.profile:
        word = SNAKE if extractor.kind == LINEAR else findings.profile
        findings.assume(EXTRACTOR, extractor.kind, (), f"profile {word}")
    else:
        findings.constrain(EXTRACTOR, extractor.kind, ["a class of the user's own"], *evidence[:1])


def untold(reading: Reading, findings: Findings, said: Words) -> None:
    """Leave open what defaults would say, where nobody names them."""
    needed = [name for name, field in reading.drawn.config.items() if field.status is Status.ASSUMED]
    if "action_bounds" in findings.config and reading.algorithm in ("PPO", "RecurrentPPO", "ARS"):
        needed.append("squash_output")
    for name in needed:
        if name not in findings.config:
            findings.unknown(name)
    named = said.source != TENSORS and rl_snake.names_system(said.extractor, said.source)
    if reading.extractor.kind == LINEAR and not named and SNAKE not in findings.hints.assume:
        findings.ask(
            f"is {reading.names.source[reading.extractor.evidence]} of RL-Snake's LinearQNet? no tensor "
            f"tells its activation (give --assume {SNAKE} to take that system's)"
        )


def supplied(drawn: Drawn, findings: Findings) -> None:
    """Record what the table of defaults said while the graph was written."""
    for name, field in drawn.config.items():
        if field.status is Status.ASSUMED:
            findings.config[name] = field
    for line in drawn.assumed:
        findings.note(line)
