"""ARS: one network, with or without hidden layers.

Source: sb3-contrib 2.9.2 and 1.6.2, `ars/policies.py`. Before 1.7 a policy with a Box action space
ended in a Tanh whatever `squash_output` said, and a linear one was no Sequential unless squashed.
"""

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.sb3 import blocks, heads, sizes
from ckptkit.recovery.sb3.defaults import release
from ckptkit.recovery.sb3.policy import Policy

PATH = "action_net"


def build(policy: Policy) -> None:
    """Write the graph of an ARS policy."""
    builder, space = policy.builder, policy.space("action", "Box", "Discrete")
    policy.observe()
    features = policy.features("features_extractor")
    if f"{PATH}.weight" in builder.tensors:
        head = builder.linear(PATH, features)
    else:
        head = blocks.mlp(builder, PATH, features, policy.activation, tail=False)
        sizes.plain(policy, PATH)
    if head == features:
        raise ArchitectureError(f"where is {PATH}? the network needs it, and the state dict lacks it")
    policy.prove("with_bias", f"{head}.bias" in builder.tensors, f"{head}.weight")
    discrete = space["type"] == "Discrete"
    heads.expect_rows(builder, head, heads.choices(space)[0] if discrete else heads.count(space))
    if discrete:
        builder.outputs |= {"action": heads.largest(builder, head), "logits": head}
        return
    builder.outputs |= {"action": _box(policy, head), "mean_actions": head}


def _box(policy: Policy, head: str) -> str:
    builder, space = policy.builder, policy.space("action")
    if policy.flag("squash_output"):
        return heads.unscale(builder, builder.add("Tanh", head, name="action/tanh"), space)
    if head != PATH and _always_tanh(policy):
        head = builder.add("Tanh", head, name="action/tanh")
    return heads.clip(builder, head, space)


def _always_tanh(policy: Policy) -> bool:
    """Whether the file's release put a Tanh behind a network that it did not call squashed."""
    version = release(policy.checkpoint.training_info.get("sb3_version"))
    if version is None:
        raise ArchitectureError(
            "which release wrote this? before 1.7 ARS ended in a Tanh without squash_output too"
        )
    return version < (1, 7)
