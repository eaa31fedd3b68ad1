"""Stable-Baselines3 and sb3-contrib policies: the graph from `data` and tensors alone."""

from dataclasses import replace

from ckptkit.errors import ArchitectureError
from ckptkit.graph.shapes import infer, misfits
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Field, Hints, Recovered, Status
from ckptkit.recovery import Family
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3 import actor_critic, linear_search, off_policy, value_based
from ckptkit.recovery.sb3.left_out import POLICY_CLASS, left_out
from ckptkit.recovery.sb3.policies import default_extractor
from ckptkit.recovery.sb3.policy import Policy

NAME = "stable-baselines3"

BUILDERS = {
    "PPO": actor_critic.build,
    "A2C": actor_critic.build,
    "TRPO": actor_critic.build,
    "MaskablePPO": actor_critic.build,
    "RecurrentPPO": actor_critic.build,
    "DQN": value_based.build,
    "QRDQN": value_based.build,
    "SAC": off_policy.build,
    "TQC": off_policy.build,
    "CrossQ": off_policy.build,
    "TD3": off_policy.build,
    "DDPG": off_policy.build,
    "ARS": linear_search.build,
}
"""What writes the graph of a policy, by algorithm."""
NAMED = 5
"""Tensors that a question names before it breaks off."""


def claims(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint says that it is a Stable-Baselines3 agent, and which one."""
    config = checkpoint.model_config
    says_more = bool(config.keys() - {"system", "features_extractor"}) or bool(checkpoint.spaces)
    return config.get("system") == NAME and says_more


def recover(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return the architecture of an agent; without a graph where a question stays open."""
    algorithm = checkpoint.model_config.get("algorithm")
    named = checkpoint.model_config.get("policy_class")
    config = {"policy_class": Field(str(named), Status.PROVEN, ("data:policy_class",))} if named else {}
    build = BUILDERS.get(str(algorithm))
    known = default_extractor(named, algorithm) is not None
    if build is None or not known or any(left_out(checkpoint, POLICY_CLASS)):
        return Recovered(family=NAME, config=config, questions=(_which(checkpoint, algorithm, named),))
    config["algorithm"] = Field(algorithm, Status.PROVEN, ("data:policy_class", "the fields of data"))
    policy = Policy(checkpoint, str(algorithm), GraphBuilder(checkpoint.tensors), hints, config)
    try:
        policy.check_words()
        build(policy)
    except ArchitectureError as error:
        return Recovered(family=NAME, config=policy.config, questions=(error.what,))
    return _checked(policy)


def _which(checkpoint: Checkpoint, algorithm: object, named: object) -> str:
    """Return the question that stands before all others."""
    for what in left_out(checkpoint, POLICY_CLASS):
        return f"what does the policy {named} compute? {what}"
    if named is None:
        return "which policy is it? the file does not say its class"
    if algorithm is None:
        return f"which algorithm trained this {named}? its fields are those of none that ckptkit knows"
    return f"what does the policy {named} compute? it is none of SB3's own classes"


def _checked(policy: Policy) -> Recovered:
    """Return the graph where it fits its tensors exactly; else what is wrong, and no graph."""
    builder = policy.builder
    found = Recovered(
        family=NAME,
        config=policy.config,
        unexplained=builder.unexplained(),
        assumed=tuple(policy.assumed),
    )
    if found.unexplained:
        more = " …" if len(found.unexplained) > NAMED else ""
        question = f"what uses {', '.join(found.unexplained[:NAMED])}{more}?"
        return replace(found, questions=(question,))
    graph = builder.graph()
    try:
        problems = tuple(f"{name} {what}" for name, what in misfits(infer(graph), builder.tensors))
    except ArchitectureError as error:
        problems = (str(error),)
    if problems:
        return replace(
            found, questions=tuple(f"do tensors and spaces belong together? {p}" for p in problems)
        )
    return replace(found, graph=graph)


FAMILY = Family(NAME, claims, recover)
