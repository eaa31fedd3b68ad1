"""DQN and QRDQN: one network of action values and its target.

Sources: stable-baselines3 2.9.2, `dqn/policies.py`; sb3-contrib 2.9.2, `qrdqn/policies.py`. The
networks are the same since 0.8.0 and 1.0.
"""

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.sb3 import blocks, heads, sizes
from ckptkit.recovery.sb3.policy import Policy


def build(policy: Policy) -> None:
    """Write the graph of a value network."""
    builder, space = policy.builder, policy.space("action", "Discrete")
    actions = heads.choices(space)[0]
    network = "quantile_net" if policy.algorithm == "QRDQN" else "q_net"
    policy.observe()
    values = _network(policy, network, network)
    if builder.has(f"{network}_target."):
        _network(policy, f"{network}_target", network)
    path = f"{network}.{network}"
    sizes.plain(policy, path)
    if policy.algorithm == "QRDQN":
        quantiles = _quantiles(policy, values, actions)
        values = builder.add("Mean", quantiles, name="q_values/mean", axis=1)
        builder.outputs["quantiles"] = quantiles
    else:
        heads.expect_rows(builder, values, actions)
    builder.outputs = {"action": heads.largest(builder, values), "q_values": values, **builder.outputs}


def _network(policy: Policy, path: str, inner: str) -> str:
    features = policy.features(f"{path}.features_extractor")
    found = blocks.mlp(policy.builder, f"{path}.{inner}", features, policy.activation, tail=False)
    if found == features:
        raise ArchitectureError(f"where is {path}.{inner}? the network needs it, and the state dict lacks it")
    return found


def _quantiles(policy: Policy, values: str, actions: int) -> str:
    """Return the head as (batch, quantiles, actions)."""
    weight = f"{values}.weight"
    rows = policy.builder.shape(weight)[0]
    if rows % actions:
        raise ArchitectureError(
            f"which holds? the {rows} rows of {weight} do not divide into {actions} actions"
        )
    policy.prove("n_quantiles", rows // actions, weight)
    return policy.builder.add("Reshape", values, name="quantiles/rows", shape=[rows // actions, actions])
