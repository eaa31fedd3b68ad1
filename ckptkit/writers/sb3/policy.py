"""`policy_class` and `policy_kwargs` in the form that today's policies take."""

from collections.abc import Callable, Mapping

from ckptkit.model.inert import ClassRef
from ckptkit.writers.sb3.changes import Changes
from ckptkit.writers.sb3.weights import ACTOR_CRITIC, Weights

_EXTRACTOR = "features_extractor_class features_extractor_kwargs normalize_images"
_COMMON = f"net_arch activation_fn {_EXTRACTOR} optimizer_class optimizer_kwargs"
_SDE = "log_std_init use_expln"
_CRITICS = "n_critics share_features_extractor"
_MASKABLE = f"{_COMMON} ortho_init share_features_extractor"
_ON_POLICY = f"{_MASKABLE} {_SDE} full_std squash_output"
_TAKEN = {
    "PPO": _ON_POLICY,
    "A2C": _ON_POLICY,
    "TRPO": _ON_POLICY,
    "MaskablePPO": _MASKABLE,
    "RecurrentPPO": f"{_ON_POLICY} lstm_hidden_size n_lstm_layers shared_lstm enable_critic_lstm lstm_kwargs",
    "DQN": _COMMON,
    "QRDQN": f"{_COMMON} n_quantiles",
    "SAC": f"{_COMMON} use_sde {_SDE} {_CRITICS} clip_mean",
    "TQC": f"{_COMMON} use_sde {_SDE} {_CRITICS} clip_mean n_quantiles",
    "CrossQ": f"{_COMMON} use_sde {_SDE} {_CRITICS} clip_mean batch_norm batch_norm_momentum batch_norm_eps "
    "renorm_warmup_steps",
    "TD3": f"{_COMMON} {_CRITICS}",
    "DDPG": f"{_COMMON} {_CRITICS}",
    "ARS": "net_arch activation_fn with_bias squash_output",
}
"""Keyword arguments of each policy; stable-baselines3 v2.9.2, sb3-contrib v2.9.0, `policies.py`."""

_RENAMED = {
    "PPOPolicy": "ActorCriticPolicy",
    "A2CPolicy": "ActorCriticPolicy",
    "CnnPolicy": "ActorCriticCnnPolicy",
    "MlpPolicy": "ActorCriticPolicy",
}
_POLICIES = "stable_baselines3.common.policies"


def policy_class(named: ClassRef, changes: Changes) -> ClassRef:
    """Return the class under today's name: actor-critic policies moved to one module in 0.8."""
    if named.module not in ("stable_baselines3.a2c.policies", "stable_baselines3.ppo.policies"):
        return named
    found = ClassRef(_POLICIES, _RENAMED.get(named.name, named.name))
    changes.change(f"policy_class: {named} is {found} today")
    return found


def policy_kwargs(
    algorithm: str, named: ClassRef, given: object, weights: Weights, changes: Changes
) -> dict[str, object]:
    """Return the keyword arguments.

    Args:
        algorithm: Name of the algorithm's class.
        named: The policy's class.
        given: `policy_kwargs` of the source.
        weights: What the networks really are; where the arguments, or today's defaults, say
            otherwise, the weights are right.
        changes: Gets what is done.
    """
    said = {str(key): value for key, value in given.items()} if isinstance(given, Mapping) else {}
    made = {}
    for name, value in said.items():
        if name in _TAKEN[algorithm].split():
            made[name] = value
        elif value not in (None, False):
            changes.drop(
                f"data:policy_kwargs.{name}", "no argument of today's policy; what it set is not used"
            )
        else:
            changes.drop(f"data:policy_kwargs.{name}", "no argument of today's policy")
    if named.name != "ARSLinearPolicy":
        _net_arch(algorithm, named, made, weights, changes)
    _critics(algorithm, made, weights, changes)
    _sharing(algorithm, made, weights, changes)
    return made


def _net_arch(
    algorithm: str, named: ClassRef, made: dict[str, object], weights: Weights, changes: Changes
) -> None:
    first, second, inside, outside = _NETWORKS.get(algorithm, ("pi", "vf", *_ACTOR_CRITIC))
    arch = {first: inside(weights)} | ({second: outside(weights)} if second else {})
    expected = _resolved(made["net_arch"], first, second) if "net_arch" in made else None
    if "net_arch" not in made:
        expected = _resolved(_default(algorithm, named, made), first, second)
    if arch == expected and not _is_old(made.get("net_arch")):
        return
    before = made.get("net_arch", "the default of its release")
    made["net_arch"] = arch if second else arch[first]
    changes.change(f"policy_kwargs.net_arch: {made['net_arch']}, was {before}")


def _is_old(value: object) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value)


def _resolved(value: object, first: str, second: str) -> dict[str, list[object]] | None:
    """Return the layers that today's SB3 would build from `net_arch`, by network."""
    names = (first, second) if second else (first,)
    if isinstance(value, list | tuple):
        if len(value) == 1 and isinstance(value[0], Mapping):
            value = value[0]
        else:
            return {name: list(value) for name in names}
    if isinstance(value, Mapping):
        return {name: list(value.get(name, [])) for name in names}
    return None


def _default(algorithm: str, named: ClassRef, made: Mapping[str, object]) -> object:
    chosen = made.get("features_extractor_class")
    cnn = "Cnn" in named.name if chosen is None else getattr(chosen, "name", "") == "NatureCNN"
    if algorithm in ("SAC", "TQC"):
        return [256, 256]
    if algorithm in ("TD3", "DDPG"):
        return [256, 256] if cnn else [400, 300]
    if algorithm == "CrossQ":
        return {"pi": [256, 256], "qf": [1024, 1024]}
    return [] if cnn and algorithm != "ARS" else [64, 64]


_Widths = Callable[[Weights], list[int]]


def _all(prefix: str) -> _Widths:
    return lambda weights: weights.widths(prefix)


def _hidden(prefix: str) -> _Widths:
    return lambda weights: weights.widths(prefix)[:-1]


_ACTOR_CRITIC = (_all("mlp_extractor.policy_net"), _all("mlp_extractor.value_net"))
_NETWORKS: Mapping[str, tuple[str, str, _Widths, _Widths]] = {
    "DQN": ("q", "", _hidden("q_net.q_net"), _hidden("q_net.q_net")),
    "QRDQN": ("q", "", _hidden("quantile_net.quantile_net"), _hidden("quantile_net.quantile_net")),
    "SAC": ("pi", "qf", _all("actor.latent_pi"), _hidden("critic.qf0")),
    "TQC": ("pi", "qf", _all("actor.latent_pi"), _hidden("critic.qf0")),
    "CrossQ": ("pi", "qf", _all("actor.latent_pi"), _hidden("critic.qf0")),
    "TD3": ("pi", "qf", _hidden("actor.mu"), _hidden("critic.qf0")),
    "DDPG": ("pi", "qf", _hidden("actor.mu"), _hidden("critic.qf0")),
    "ARS": ("pi", "", _hidden("action_net"), _hidden("action_net")),
}
"""Names of an algorithm's networks in `net_arch`, and the widths of their hidden layers."""


def _critics(algorithm: str, made: dict[str, object], weights: Weights, changes: Changes) -> None:
    if "n_critics" not in _TAKEN[algorithm].split():
        return
    count = weights.networks("critic.qf")
    if count and made.get("n_critics", 2) != count:
        changes.change(f"policy_kwargs.n_critics: {count}, as the weights have it")
        made["n_critics"] = count


def _sharing(algorithm: str, made: dict[str, object], weights: Weights, changes: Changes) -> None:
    """Say whether the extractor is shared, where the weights tell it and the default is another."""
    if "share_features_extractor" not in _TAKEN[algorithm].split():
        return
    on_policy = algorithm in ACTOR_CRITIC
    pair = ("pi_", "vf_") if on_policy else ("actor.", "critic.")
    shared = weights.shares(*(f"{name}features_extractor." for name in pair))
    if shared is not None and made.get("share_features_extractor", on_policy) != shared:
        changes.change(f"policy_kwargs.share_features_extractor: {shared}, as the weights have it")
        made["share_features_extractor"] = shared
