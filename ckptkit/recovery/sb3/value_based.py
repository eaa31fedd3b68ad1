"""DQN and QRDQN: one network of action values and its target.

Sources: stable-baselines3 2.9.2, `dqn/policies.py`; sb3-contrib 2.9.2, `qrdqn/policies.py`.
"""

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.sb3 import blocks, heads
from ckptkit.recovery.sb3.blocks import Activation
from ckptkit.recovery.sb3.policy import Policy


def build(policy: Policy, algorithm: str) -> None:
    """Write the graph of a value network."""
    builder = policy.builder
    activation = policy.activation("ReLU")
    policy.observe()
    network = "quantile_net" if algorithm == "QRDQN" else "q_net"
    values = _network(policy, network, network, activation)
    if builder.has(f"{network}_target."):
        _network(policy, f"{network}_target", network, activation)
    if algorithm == "QRDQN":
        quantiles = _quantiles(policy, values)
        values = builder.add("Mean", quantiles, name="q_values/mean", axis=1)
        builder.outputs["quantiles"] = quantiles
    builder.outputs = {"action": heads.largest(builder, values), "q_values": values, **builder.outputs}


def _network(policy: Policy, path: str, inner: str, activation: Activation) -> str:
    features = policy.features(f"{path}.features_extractor")
    return blocks.sequential(policy.builder, f"{path}.{inner}", features, activation, tail=False)


def _quantiles(policy: Policy, values: str) -> str:
    """Return the head as (batch, quantiles, actions)."""
    builder = policy.builder
    actions = int(str(policy.space("action")["n"]))
    rows = builder.shape(f"{values}.weight")[0]
    if rows % actions:
        raise ArchitectureError(f"{rows} outputs do not divide into {actions} actions")
    return builder.add("Reshape", values, name="quantiles/rows", shape=[rows // actions, actions])
