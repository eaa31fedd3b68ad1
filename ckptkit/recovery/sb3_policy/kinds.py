"""Which of the networks of Stable-Baselines3 a state dict has, by the names that no other has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.relations import UnlikeError

EXTRACTOR = re.compile(
    r"((?:pi_|vf_)?features_extractor"
    r"|(?:actor|critic|q_net|quantile_net)(?:_target)?\.features_extractor)\."
)
LINEAR = re.compile(r"([0-9]{1,9})\.(weight|ra_mean)")


@dataclass(frozen=True, slots=True)
class Kind:
    """Networks that have the same names.

    Attributes:
        id: Short name, for messages.
        needed: Canonical names of which each alternative group must have one.
        absent: Starts of names that it has none of.
        algorithm: The algorithm whose builder writes its graph.
        extractors: Where its features extractor is, the one that gives actions first.
        first: Modules of which the first one with tensors takes the features.
        head: Modules of which the last one with tensors gives a number for each action.
    """

    id: str
    needed: tuple[tuple[str, ...], ...]
    absent: tuple[str, ...]
    algorithm: str
    extractors: tuple[str, ...]
    first: tuple[str, ...]
    head: str


_ON_POLICY = ("pi_features_extractor", "features_extractor")
_MLP = ("mlp_extractor.shared_net", "mlp_extractor.policy_net", "action_net")

KINDS = (
    Kind(
        "recurrent actor-critic",
        (("lstm_actor.weight_hh_l0",), ("action_net.weight",), ("value_net.weight",)),
        (),
        "RecurrentPPO",
        _ON_POLICY,
        ("lstm_actor",),
        "action_net",
    ),
    Kind(
        "actor-critic",
        (("action_net.weight",), ("value_net.weight",)),
        ("lstm_actor.",),
        "PPO",
        _ON_POLICY,
        _MLP,
        "action_net",
    ),
    Kind(
        "quantile",
        (("quantile_net.quantile_net.0.weight",),),
        (),
        "QRDQN",
        ("quantile_net.features_extractor",),
        ("quantile_net.quantile_net",),
        "quantile_net.quantile_net",
    ),
    Kind(
        "action-value",
        (("q_net.q_net.0.weight",),),
        (),
        "DQN",
        ("q_net.features_extractor",),
        ("q_net.q_net",),
        "q_net.q_net",
    ),
    Kind(
        "stochastic actor",
        (("actor.mu.weight", "actor.mu.0.weight"), ("actor.log_std", "actor.log_std.weight")),
        (),
        "SAC",
        ("actor.features_extractor",),
        ("actor.latent_pi", "actor.mu"),
        "actor.mu",
    ),
    Kind(
        "deterministic actor",
        (("actor.mu.0.weight",),),
        ("actor.latent_pi.", "actor.log_std"),
        "TD3",
        ("actor.features_extractor",),
        ("actor.mu",),
        "actor.mu",
    ),
    Kind(
        "linear search",
        (("action_net.weight", "action_net.0.weight"),),
        ("value_net.", "mlp_extractor."),
        "ARS",
        ("features_extractor",),
        ("action_net",),
        "action_net",
    ),
)


def kind_of(tensors: Mapping[str, Tensor]) -> Kind:
    """Return the kind whose names are there.

    Args:
        tensors: By canonical name.

    Raises:
        UnlikeError: There is none, or more than one.
    """
    found = [kind for kind in KINDS if _has(kind, tensors)]
    if len(found) > 1:
        raise UnlikeError("", f"it has the names of {' and '.join(kind.id for kind in found)} networks")
    if found:
        return found[0]
    heads = dict.fromkeys(kind.needed[0][0] for kind in KINDS)
    raise UnlikeError("", f"there is none of {', '.join(heads)}", missing=_nearest(tensors))


def _has(kind: Kind, tensors: Mapping[str, Tensor]) -> bool:
    unlike = any(name.startswith(kind.absent) for name in tensors) if kind.absent else False
    return not unlike and all(any(name in tensors for name in group) for group in kind.needed)


def _nearest(tensors: Mapping[str, Tensor]) -> str:
    """Return the name that is missing most: one of a kind of which another name is there."""
    for kind in KINDS:
        groups = [group for group in kind.needed if not any(name in tensors for name in group)]
        if len(groups) < len(kind.needed):
            return groups[0][0] if groups else kind.needed[0][0]
    return KINDS[1].needed[0][0]


def first_columns(tensors: Mapping[str, Tensor], kind: Kind) -> tuple[int, str]:
    """Return how many features the networks take, and the tensor that says it.

    Raises:
        UnlikeError: No tensor does.
    """
    for path in kind.first:
        for name in (f"{path}.weight_ih_l0", f"{path}.weight", _first_of(tensors, path)):
            if name in tensors and tensors[name].shape:
                return tensors[name].shape[-1], name
    raise UnlikeError("", f"there is no {kind.first[-1]}.weight", missing=f"{kind.first[-1]}.weight")


def head_weight(tensors: Mapping[str, Tensor], kind: Kind) -> str:
    """Return the name of the weight whose rows are the numbers of an action.

    Raises:
        UnlikeError: It is not there, or no matrix.
    """
    plain = f"{kind.head}.weight"
    name = plain if plain in tensors else last_of(tensors, kind.head)
    if name not in tensors or len(tensors[name].shape) != 2:
        raise UnlikeError(name if name in tensors else "", f"there is no matrix {name or plain}")
    return name


def _first_of(tensors: Mapping[str, Tensor], path: str) -> str:
    found = _layers(tensors, path)
    return found[min(found)] if found else ""


def last_of(tensors: Mapping[str, Tensor], path: str) -> str:
    """Return the weight of the last layer of a Sequential; empty where it has none."""
    found = _layers(tensors, path)
    return found[max(found)] if found else ""


def _layers(tensors: Mapping[str, Tensor], path: str) -> dict[int, str]:
    found = {}
    for name in tensors:
        if name.startswith(f"{path}."):
            match = LINEAR.fullmatch(name, len(path) + 1)
            if match:
                found[int(match.group(1))] = name
    return found
