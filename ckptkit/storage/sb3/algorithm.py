"""Which algorithm a zip is of: the policy class and the fields tell, or nothing does.

Sources: stable-baselines3 v2.9.2 and sb3-contrib v2.9.0 (`<algorithm>/policies.py`); the modules are
the same in every release since 0.8, where a release has the algorithm at all.
"""

from collections.abc import Mapping

from ckptkit.model.inert import ClassRef

_BY_MODULE = {
    "stable_baselines3.dqn.policies": "DQN",
    "stable_baselines3.sac.policies": "SAC",
    "sb3_contrib.ars.policies": "ARS",
    "sb3_contrib.common.maskable.policies": "MaskablePPO",
    "sb3_contrib.common.recurrent.policies": "RecurrentPPO",
    "sb3_contrib.crossq.policies": "CrossQ",
    "sb3_contrib.qrdqn.policies": "QRDQN",
    "sb3_contrib.tqc.policies": "TQC",
}
_ACTOR_CRITIC = (
    "stable_baselines3.common.policies",
    "stable_baselines3.a2c.policies",
    "stable_baselines3.ppo.policies",
)
_DDPG = {"policy_delay": 1, "target_policy_noise": 0.1, "target_noise_clip": 0.0}


def algorithm(policy_class: object, data: Mapping[str, object]) -> str | None:
    """Return the algorithm's class name; None where the file does not settle it.

    Args:
        policy_class: The `policy_class` field; only a reference to one of SB3's own settles it.
        data: All fields of `data`.
    """
    if not isinstance(policy_class, ClassRef):
        return None
    module = policy_class.module
    if module in _ACTOR_CRITIC:
        return _actor_critic(data)
    if module == "stable_baselines3.td3.policies":
        return _td3(data)
    return _BY_MODULE.get(module)


def _actor_critic(data: Mapping[str, object]) -> str | None:
    """Tell PPO, TRPO and A2C apart: all use the same policies."""
    if "cg_max_steps" in data:
        return "TRPO"
    if "clip_range" in data and "n_epochs" in data:
        return "PPO"
    return "A2C" if "vf_coef" in data and "gae_lambda" in data else None


def _td3(data: Mapping[str, object]) -> str | None:
    """Tell DDPG from TD3: it is TD3 with one critic, no delay and no clipping of the noise."""
    kwargs = data.get("policy_kwargs")
    critics = kwargs.get("n_critics", 2) if isinstance(kwargs, Mapping) else None
    if critics == 1 and all(data.get(name) == value for name, value in _DDPG.items()):
        return "DDPG"
    return "TD3" if "policy_delay" in data else None
