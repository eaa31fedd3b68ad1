"""SAC, TQC, CrossQ, TD3, DDPG: an actor, critics on (features, action), and their targets.

Sources: stable-baselines3 2.9.2, `sac/policies.py`, `td3/policies.py`, `common/policies.py`
(`ContinuousCritic`); sb3-contrib 2.9.2, `tqc/policies.py`, `crossq/policies.py`.
"""

import re

from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3 import blocks, heads
from ckptkit.recovery.sb3.blocks import Activation
from ckptkit.recovery.sb3.policy import Policy

CRITIC = re.compile(r"(critic(?:_target)?)\.(qf\d+)\.")


def build(policy: Policy, algorithm: str) -> None:
    """Write the graph of an actor and its critics."""
    builder, space = policy.builder, policy.space("action")
    activation = policy.activation("ReLU")
    policy.observe()
    if algorithm in {"TD3", "DDPG"}:
        squashed = _deterministic(policy, "actor", activation)
        if builder.has("actor_target."):
            _deterministic(policy, "actor_target", activation)
    else:
        mean = _gaussian(policy, activation)
        builder.outputs["mean_actions"] = mean
        squashed = builder.add("Tanh", mean, name="action/tanh")
    action = heads.unscale(builder, squashed, space)
    builder.outputs = {"action": action, **builder.outputs}
    _critics(policy, squashed, activation)


def _deterministic(policy: Policy, path: str, activation: Activation) -> str:
    builder = policy.builder
    features = policy.features(f"{path}.features_extractor")
    mean = blocks.sequential(builder, f"{path}.mu", features, activation, tail=False)
    return builder.add("Tanh", mean, name=f"{path}.mu/tanh")


def _gaussian(policy: Policy, activation: Activation) -> str:
    builder = policy.builder
    features = policy.features("actor.features_extractor")
    latent = blocks.sequential(builder, "actor.latent_pi", features, activation, tail=True)
    if "actor.log_std" in builder.tensors:  # gSDE: noise per feature, and a mean within ±clip_mean
        builder.own("Parameter", "actor.log_std", shape=list(builder.shape("actor.log_std")))
        return _clipped_mean(policy, latent)
    builder.linear("actor.log_std", latent)
    return builder.linear("actor.mu", latent)


def _clipped_mean(policy: Policy, latent: str) -> str:
    builder = policy.builder
    if "actor.mu.weight" in builder.tensors:
        return builder.linear("actor.mu", latent)
    limit = policy.option("clip_mean", 2.0)
    mean = builder.linear("actor.mu.0", latent)
    bounds = {"min_val": -float(str(limit)), "max_val": float(str(limit))}
    return builder.add("Hardtanh", mean, name="actor.mu.1", **bounds)


def _critics(policy: Policy, action: str, activation: Activation) -> None:
    """Own the critics: they take the features and the action in [-1, 1], and no output needs them."""
    builder = policy.builder
    found = dict.fromkeys(match.groups() for name in builder.tensors if (match := CRITIC.match(name)))
    for owner, critic in found:
        features = policy.features(_extractor(builder, f"{owner}.features_extractor"))
        joined = builder.add("Concat", features, action, name=f"{owner}.{critic}/input", axis=1)
        blocks.sequential(builder, f"{owner}.{critic}", joined, activation, tail=False)


def _extractor(builder: GraphBuilder, prefix: str) -> str:
    """Return the extractor that has the same tensors already (a shared one), else `prefix`."""
    for layer in builder.names.values():
        for alias in layer.aliases:
            if alias.startswith(f"{prefix}."):
                return layer.name.removesuffix(alias[len(prefix) :])
    return prefix
