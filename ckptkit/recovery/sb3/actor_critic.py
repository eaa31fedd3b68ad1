"""PPO, A2C, TRPO, MaskablePPO, RecurrentPPO: one network with a policy and a value head.

Sources: stable-baselines3 0.8.0 to 2.9.2, `common/policies.py` and `common/torch_layers.py`;
sb3-contrib 1.5.0 to 2.9.2, `common/maskable/policies.py` and `common/recurrent/policies.py`. From
1.7 a state dict has three prefixes of extractors, mostly of one module; before it had one, and gSDE
could have features of its own; before 1.8 policy and value could share layers.
"""

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.sb3 import blocks, heads, recurrent, sizes
from ckptkit.recovery.sb3.policy import Policy

_SPACES = ("Box", "Discrete", "MultiDiscrete", "MultiBinary")


def build(policy: Policy) -> None:
    """Write the graph of an actor-critic policy."""
    builder = policy.builder
    masked = policy.algorithm == "MaskablePPO"
    policy.space("action", *(_SPACES[1:] if masked else _SPACES))
    policy.observe()
    pi, vf = _features(policy)
    features, value = pi, True
    if policy.algorithm == "RecurrentPPO":
        pi, vf, value = recurrent.build(policy, pi, vf)
    latent_pi, latent_vf = _mlp(policy, pi, vf)
    _exploration(policy, features)
    sizes.actor_critic(policy)
    head = builder.linear("action_net", latent_pi)
    _action(policy, head, masked=masked)
    critic = builder.linear("value_net", latent_vf)
    if value:
        builder.outputs["value"] = critic
    if policy.algorithm == "RecurrentPPO":
        builder.outputs |= recurrent.next_states()


def _features(policy: Policy) -> tuple[str, str]:
    """Return the features of policy and value; before 1.7 there is one extractor for both.

    From 1.7 the first two are one module, of which a format without storages may keep either name.
    """
    builder = policy.builder
    names = ("features_extractor", "pi_features_extractor")
    own = [name for name in names if builder.has(f"{name}.")] or names[:1]
    features = policy.features(own[0])
    if not builder.has("vf_features_extractor."):
        return features, features
    pi, vf = policy.features(own[-1]), policy.features("vf_features_extractor")
    evidence = f"vf_features_extractor {'shares the storages' if pi == vf else 'has its own storages'}"
    policy.prove("share_features_extractor", pi == vf, evidence)
    return pi, vf


def _mlp(policy: Policy, pi: str, vf: str) -> tuple[str, str]:
    builder = policy.builder
    if builder.has("mlp_extractor.shared_net."):
        if pi != vf:
            question = "whose features does mlp_extractor.shared_net take? policy and value have their own"
            raise ArchitectureError(question)
        pi = vf = blocks.mlp(builder, "mlp_extractor.shared_net", pi, policy.activation, tail=True)
    return (
        blocks.mlp(builder, "mlp_extractor.policy_net", pi, policy.activation, tail=True),
        blocks.mlp(builder, "mlp_extractor.value_net", vf, policy.activation, tail=True),
    )


def _exploration(policy: Policy, features: str) -> None:
    """Own what only sampling uses: `log_std`, and the features of gSDE before 1.7."""
    builder = policy.builder
    if "log_std" in builder.tensors:
        shape = builder.shape("log_std")
        builder.own("Parameter", "log_std", shape=list(shape))
        policy.prove("use_sde", len(shape) == 2, "log_std")
    blocks.mlp(builder, "sde_features_extractor", features, policy.activation, tail=True)


def _action(policy: Policy, head: str, *, masked: bool) -> None:
    builder, space = policy.builder, policy.space("action")
    if policy.raw:
        builder.outputs["mean_actions" if "log_std" in builder.tensors else "logits"] = head
    elif space["type"] == "Box":
        heads.expect_rows(builder, head, heads.count(space))
        builder.outputs |= {"action": _box(policy, head), "mean_actions": head}
    elif space["type"] == "MultiBinary" and not masked:
        heads.expect_rows(builder, head, heads.count(space))
        builder.outputs |= heads.bernoulli(builder, head, space)
    else:
        parts = heads.choices(space)
        heads.expect_rows(builder, head, sum(parts))
        builder.outputs |= heads.categorical(builder, head, parts, masked=masked)


def _box(policy: Policy, head: str) -> str:
    """Squash where the policy does; up to 2.0 a policy without gSDE unscaled without a Tanh."""
    builder, space = policy.builder, policy.space("action")
    if not policy.flag("squash_output"):
        return heads.clip(builder, head, space)
    if len(builder.shape("log_std")) == 2:  # gSDE: a row for each feature
        head = builder.add("Tanh", head, name="action/tanh")
    return heads.unscale(builder, head, space)
