"""Stable-Baselines3 and sb3-contrib policies: the graph from `data` and tensors alone."""

from ckptkit.errors import ArchitectureError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.model.recovered import Field, Hints, Recovered, Status
from ckptkit.recovery import Family
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3 import actor_critic, linear_search, off_policy, value_based
from ckptkit.recovery.sb3.policy import Policy

_BUILDERS = {
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


def claims(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint says that it is a Stable-Baselines3 agent."""
    return checkpoint.model_config.get("system") == "stable-baselines3"


def recover(checkpoint: Checkpoint, _: Hints) -> Recovered:
    """Return the architecture of an agent; without a graph where a question stays open."""
    algorithm = checkpoint.model_config.get("algorithm")
    named = checkpoint.model_config.get("policy_class")
    config = {"policy_class": Field(str(named), Status.PROVEN, ("data:policy_class",))} if named else {}
    policy = Policy(checkpoint, GraphBuilder(checkpoint.tensors), config)
    build = _BUILDERS.get(str(algorithm))
    if build is None or not isinstance(named, ClassRef):
        question = f"which of SB3's policies is {named or 'this'}? its class is none of them"
        return Recovered(family="stable-baselines3", config=config, questions=(question,))
    config["algorithm"] = Field(algorithm, Status.PROVEN, ("data:policy_class",))
    try:
        build(policy, str(algorithm))
    except ArchitectureError as error:
        return Recovered(family="stable-baselines3", config=policy.config, questions=(str(error),))
    left = policy.builder.unexplained()
    graph = None if left else policy.builder.graph()
    questions = (f"what uses {', '.join(left[:3])}{' …' if len(left) > 3 else ''}?",) if left else ()
    return Recovered(
        family="stable-baselines3",
        config=policy.config,
        graph=graph,
        unexplained=left,
        questions=questions,
        assumed=tuple(policy.assumed),
    )


FAMILY = Family("stable-baselines3", claims, recover)
