"""The policy classes of Stable-Baselines3 and sb3-contrib, and the extractor that each defaults to.

A class of the same name in any other module may compute anything, so that only these count. The
modules are the same in every release that has the class: stable-baselines3 0.8.0 to 2.9.2 and
sb3-contrib 1.0 to 2.9.2, `<algorithm>/policies.py`.
"""

from ckptkit.model.inert import ClassRef
from ckptkit.recovery.sb3.defaults import DETERMINISTIC

EXTRACTORS = "stable_baselines3.common.torch_layers"
FLATTEN, NATURE, COMBINED = "FlattenExtractor", "NatureCNN", "CombinedExtractor"

_ACTOR_CRITIC = ("PPO", "A2C", "TRPO")


def _three(module: str, algorithms: tuple[str, ...], names: tuple[str, str, str]) -> dict[str, "Known"]:
    kinds = (FLATTEN, NATURE, COMBINED)
    return {f"{module}.{name}": (algorithms, kind) for name, kind in zip(names, kinds, strict=True)}


def _own(module: str, algorithms: tuple[str, ...], name: str) -> dict[str, "Known"]:
    return _three(module, algorithms, (name, "CnnPolicy", "MultiInputPolicy"))


Known = tuple[tuple[str, ...], str]

POLICIES: dict[str, Known] = {
    **_three(
        "stable_baselines3.common.policies",
        _ACTOR_CRITIC,
        ("ActorCriticPolicy", "ActorCriticCnnPolicy", "MultiInputActorCriticPolicy"),
    ),
    **_three(
        "sb3_contrib.common.maskable.policies",
        ("MaskablePPO",),
        (
            "MaskableActorCriticPolicy",
            "MaskableActorCriticCnnPolicy",
            "MaskableMultiInputActorCriticPolicy",
        ),
    ),
    **_three(
        "sb3_contrib.common.recurrent.policies",
        ("RecurrentPPO",),
        (
            "RecurrentActorCriticPolicy",
            "RecurrentActorCriticCnnPolicy",
            "RecurrentMultiInputActorCriticPolicy",
        ),
    ),
    **_own("stable_baselines3.dqn.policies", ("DQN",), "DQNPolicy"),
    **_own("stable_baselines3.sac.policies", ("SAC",), "SACPolicy"),
    **_own("stable_baselines3.td3.policies", DETERMINISTIC, "TD3Policy"),
    **_own("sb3_contrib.qrdqn.policies", ("QRDQN",), "QRDQNPolicy"),
    **_own("sb3_contrib.tqc.policies", ("TQC",), "TQCPolicy"),
    "sb3_contrib.crossq.policies.CrossQPolicy": (("CrossQ",), FLATTEN),
    "sb3_contrib.ars.policies.ARSPolicy": (("ARS",), FLATTEN),
    "sb3_contrib.ars.policies.ARSLinearPolicy": (("ARS",), FLATTEN),
}
"""Algorithms and default extractor by the policy's full class name."""


def default_extractor(policy_class: object, algorithm: object) -> str | None:
    """Return the extractor that a policy class defaults to; None where the class is none of SB3's."""
    known = POLICIES.get(str(policy_class)) if isinstance(policy_class, ClassRef) else None
    return known[1] if known and algorithm in known[0] else None
