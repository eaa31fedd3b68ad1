"""SAC, TQC, CrossQ, TD3, DDPG: an actor, critics on (features, action), and their targets.

Sources: stable-baselines3 0.8.0 to 2.9.2, `sac/policies.py`, `td3/policies.py`,
`common/policies.py` (`ContinuousCritic`); sb3-contrib 1.0 to 2.9.2, `tqc/policies.py`,
`crossq/policies.py`. Releases differ in defaults of sizes and of sharing, which tensors tell, and
in the features of gSDE (`sde_net_arch`), which ended with 1.7.
"""

import re
from collections.abc import Mapping

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.sb3 import blocks, heads, sizes
from ckptkit.recovery.sb3.defaults import DETERMINISTIC
from ckptkit.recovery.sb3.policy import Policy

CRITIC = re.compile(r"(critic(?:_target)?)\.(qf\d+)\.")

Norm = Mapping[str, object] | None


def build(policy: Policy) -> None:
    """Write the graph of an actor and its critics."""
    builder, space = policy.builder, policy.space("action", "Box")
    policy.observe()
    norm = _norm(policy)
    if policy.algorithm in DETERMINISTIC:
        squashed = _deterministic(policy, "actor")
        if builder.has("actor_target."):
            _deterministic(policy, "actor_target")
        head = squashed.removesuffix("/tanh")
    else:
        mean, head = _gaussian(policy, norm)
        builder.outputs["mean_actions"] = mean
        squashed = builder.add("Tanh", mean, name="action/tanh")
    if policy.raw:
        builder.outputs.setdefault("mean_actions", squashed)
    else:
        heads.expect_rows(builder, head, heads.count(space))
        builder.outputs = {"action": heads.unscale(builder, squashed, space), **builder.outputs}
    _critics(policy, squashed, norm)
    _record(policy)


def _norm(policy: Policy) -> Norm:
    """Return the attributes of CrossQ's normalisations; None for all other policies."""
    if policy.algorithm != "CrossQ":
        return None
    has = any(name.endswith(".ra_mean") for name in policy.builder.tensors)
    policy.prove("batch_norm", has, "the ra_mean tensors" if has else "no ra_mean tensors")
    if not has:
        return None
    return {
        "eps": policy.number("batch_norm_eps"),
        "momentum": policy.number("batch_norm_momentum"),
        "warmup_steps": int(policy.number("renorm_warmup_steps")),
    }


def _deterministic(policy: Policy, path: str) -> str:
    features = policy.features(f"{path}.features_extractor")
    mean = blocks.mlp(policy.builder, f"{path}.mu", features, policy.activation, tail=False)
    if mean == features:
        raise ArchitectureError(f"where is {path}.mu? the network needs it, and the state dict lacks it")
    return policy.builder.add("Tanh", mean, name=f"{mean}/tanh")


def _gaussian(policy: Policy, norm: Norm) -> tuple[str, str]:
    """Return the mean as the policy takes it, and the Linear that gives it."""
    builder = policy.builder
    features = policy.features("actor.features_extractor")
    latent = blocks.mlp(builder, "actor.latent_pi", features, policy.activation, tail=True, norm=norm)
    explores = "actor.log_std" in builder.tensors
    policy.prove("use_sde", explores, "actor.log_std" if explores else "actor.log_std.weight")
    if not explores:
        builder.linear("actor.log_std", latent)
        mean = builder.linear("actor.mu", latent)
        return mean, mean
    builder.own("Parameter", "actor.log_std", shape=list(builder.shape("actor.log_std")))
    blocks.mlp(builder, "actor.sde_features_extractor", features, policy.activation, tail=True)
    return _clipped_mean(policy, latent)


def _clipped_mean(policy: Policy, latent: str) -> tuple[str, str]:
    """Keep the mean of gSDE within ±clip_mean; without that the head is no Sequential."""
    builder = policy.builder
    if "actor.mu.weight" in builder.tensors:
        mean = builder.linear("actor.mu", latent)
        return mean, mean
    limit = policy.number("clip_mean")
    if limit <= 0:
        raise ArchitectureError(
            f"which holds? actor.mu.0 is kept within bounds, and clip_mean = {limit} has none"
        )
    mean = builder.linear("actor.mu.0", latent)
    return builder.add("Hardtanh", mean, name="actor.mu.1", min_val=-limit, max_val=limit), mean


def _critics(policy: Policy, action: str, norm: Norm) -> None:
    """Own the critics: they take the features and the action in [-1, 1], and no output needs them."""
    builder = policy.builder
    found = dict.fromkeys(match.groups() for name in builder.tensors if (match := CRITIC.match(name)))
    for owner, critic in found:
        features = policy.features(f"{owner}.features_extractor")
        joined = builder.add("Concat", features, action, name=f"{owner}.{critic}/input", axis=1)
        if builder.canonical(f"{owner}.{critic}") == f"{owner}.{critic}":
            path = f"{owner}.{critic}"
            blocks.mlp(builder, path, joined, policy.activation, tail=False, norm=norm)


def _record(policy: Policy) -> None:
    builder = policy.builder
    gaussian = policy.algorithm not in DETERMINISTIC
    actor = "actor.latent_pi" if gaussian else "actor.mu"
    sizes.actor_and_critics(policy, actor, "critic.qf0", tail=gaussian)
    found = {name.split(".")[1] for name in builder.tensors if name.startswith("critic.qf")}
    if found:
        policy.prove("n_critics", len(found), *(f"critic.{name}" for name in sorted(found)))
    if builder.has("critic.features_extractor."):
        own = builder.canonical("critic.features_extractor") == "critic.features_extractor"
        evidence = f"critic.features_extractor {'has its own storages' if own else 'shares the storages'}"
        policy.prove("share_features_extractor", not own, f"{evidence} of actor.features_extractor")
    if policy.algorithm == "TQC" and found:
        _quantiles(policy, f"critic.{min(found)}")


def _quantiles(policy: Policy, critic: str) -> None:
    for index in policy.builder.indices(critic)[-1:]:
        weight = f"{critic}.{index}.weight"
        policy.prove("n_quantiles", policy.builder.shape(weight)[0], weight)
