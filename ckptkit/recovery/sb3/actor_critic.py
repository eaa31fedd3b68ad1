"""PPO, A2C, TRPO, MaskablePPO, RecurrentPPO: one network with a policy and a value head.

Sources: stable-baselines3 2.9.2, `common/policies.py`; sb3-contrib 2.9.2,
`common/maskable/policies.py` and `common/recurrent/policies.py`.
"""

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3 import blocks, heads
from ckptkit.recovery.sb3.blocks import Activation
from ckptkit.recovery.sb3.policy import Policy


def build(policy: Policy, algorithm: str) -> None:
    """Write the graph of an actor-critic policy."""
    builder = policy.builder
    activation = policy.activation("Tanh")
    policy.observe()
    pi, vf = _features(policy)
    value = True
    if algorithm == "RecurrentPPO":
        pi, vf, value = _recurrent(builder, pi, vf)
    latent_pi, latent_vf = _mlp(builder, pi, vf, activation)
    _exploration(builder, policy, activation)
    head = builder.linear("action_net", latent_pi)
    _action(policy, head, masked=algorithm == "MaskablePPO")
    critic = builder.linear("value_net", latent_vf)
    if value:
        builder.outputs["value"] = critic
    if algorithm == "RecurrentPPO":
        builder.outputs |= {"next_state.0": "lstm_actor:1", "next_state.1": "lstm_actor:2"}


def _features(policy: Policy) -> tuple[str, str]:
    """Return the features of policy and value; before 1.7 there is one extractor for both."""
    builder = policy.builder
    if builder.has("vf_features_extractor."):
        policy.features("features_extractor")
        return policy.features(_owner(builder, "pi_features_extractor")), policy.features(
            _owner(builder, "vf_features_extractor")
        )
    features = policy.features("features_extractor")
    return features, features


def _owner(builder: GraphBuilder, prefix: str) -> str:
    """Return the prefix under which the same tensors have a layer already."""
    for layer in builder.names.values():
        for alias in layer.aliases:
            if alias.startswith(f"{prefix}."):
                suffix = alias[len(prefix) :]
                return layer.name.removesuffix(suffix)
    return prefix


def _mlp(builder: GraphBuilder, pi: str, vf: str, activation: Activation) -> tuple[str, str]:
    if builder.has("mlp_extractor.shared_net."):
        if pi != vf:
            raise ArchitectureError(
                "mlp_extractor.shared_net takes one extractor's features, and there are two"
            )
        pi = vf = blocks.sequential(builder, "mlp_extractor.shared_net", pi, activation, tail=True)
    return (
        blocks.sequential(builder, "mlp_extractor.policy_net", pi, activation, tail=True),
        blocks.sequential(builder, "mlp_extractor.value_net", vf, activation, tail=True),
    )


def _recurrent(builder: GraphBuilder, pi: str, vf: str) -> tuple[str, str, bool]:
    """Add the LSTMs; the last value says whether the critic needs no state of its own."""
    start = builder.input("episode_start", "BOOL", (None,))
    kept = builder.add("Sub", builder.add("Cast", start, dtype="F32"), name="state/negated", value=1.0)
    kept = builder.add("Mul", kept, name="state/kept", value=-1.0)
    kept = builder.add("Reshape", kept, name="state/mask", shape=[1])
    actor = _lstm(builder, "lstm_actor", pi, kept, "state")
    if builder.has("lstm_critic."):
        return actor, _lstm(builder, "lstm_critic", vf, kept, "critic_state"), False
    if builder.has("critic."):
        return actor, builder.linear("critic", vf), True
    return actor, actor, True


def _lstm(builder: GraphBuilder, path: str, x: str, kept: str, state: str) -> str:
    rows, size = builder.shape(f"{path}.weight_ih_l0")
    layers = sum(builder.has(f"{path}.weight_ih_l{i}") for i in range(64))
    states = []
    for i in range(2):
        value = builder.input(f"{state}.{i}", "F32", (layers, None, rows // 4))
        states.append(builder.add("Mul", value, kept))
    sizes = {"input_size": size, "hidden_size": rows // 4, "num_layers": layers}
    return builder.own("LSTM", path, x, *states, bias=f"{path}.bias_ih_l0" in builder.tensors, **sizes)


def _exploration(builder: GraphBuilder, policy: Policy, activation: Activation) -> None:
    """Own what only sampling uses: `log_std`, and the features of gSDE before 1.7."""
    if "log_std" in builder.tensors:
        builder.own("Parameter", "log_std", shape=list(builder.shape("log_std")))
    if builder.has("sde_features_extractor."):
        flat = blocks.flatten(builder, policy.parts[""])
        blocks.sequential(builder, "sde_features_extractor", flat, activation, tail=True)


def _action(policy: Policy, head: str, *, masked: bool) -> None:
    builder, space = policy.builder, policy.space("action")
    if space["type"] == "Box":
        builder.outputs["action"] = _box(policy, head)
        builder.outputs["mean_actions"] = head
    elif space["type"] == "MultiBinary" and not masked:
        builder.outputs |= heads.bernoulli(builder, head, space)
    elif space["type"] in {"Discrete", "MultiDiscrete", "MultiBinary"}:
        builder.outputs |= heads.categorical(builder, head, heads.choices(space), masked=masked)
    else:
        raise ArchitectureError(f"no policy gives actions of a {space['type']} space")


def _box(policy: Policy, head: str) -> str:
    builder, space = policy.builder, policy.space("action")
    if policy.option("squash_output", False) is True:
        return heads.unscale(builder, builder.add("Tanh", head, name="action/tanh"), space)
    return heads.clip(builder, head, space)
