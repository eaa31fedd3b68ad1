"""ARS: one network, with or without hidden layers (sb3-contrib 2.9.2, `ars/policies.py`)."""

from ckptkit.recovery.sb3 import blocks, heads
from ckptkit.recovery.sb3.policy import Policy


def build(policy: Policy, _: str) -> None:
    """Write the graph of an ARS policy."""
    builder, space = policy.builder, policy.space("action")
    policy.observe()
    features = policy.features("features_extractor")
    if "action_net.weight" in builder.tensors:  # linear policies before sb3-contrib 1.7
        head, hidden = builder.linear("action_net", features), False
    else:
        hidden = len(builder.indices("action_net")) > 1
        activation = policy.activation("ReLU") if hidden else blocks.Activation("ReLU", {})
        head = blocks.sequential(builder, "action_net", features, activation, tail=False)
    if space["type"] == "Discrete":
        builder.outputs |= {"action": heads.largest(builder, head), "logits": head}
        return
    if policy.option("squash_output", hidden) is True:
        action = heads.unscale(builder, builder.add("Tanh", head, name="action/tanh"), space)
    else:
        action = heads.clip(builder, head, space)
    builder.outputs |= {"action": action, "mean_actions": head}
