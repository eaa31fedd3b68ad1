"""Small agents of every algorithm, made with Stable-Baselines3, and observations for them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import sb3_contrib
import stable_baselines3
from gymnasium import spaces

from tests.readers.sb3_models import Env

VECTOR = spaces.Box(-1.0, 1.0, (5,))
IMAGE = spaces.Box(0, 255, (3, 36, 36), np.uint8)
LARGE = spaces.Box(-2.0, 3.0, (2,))
CHOICE = spaces.Discrete(3)
PARTS = spaces.Dict({"vector": VECTOR, "image": IMAGE, "choice": CHOICE})


@dataclass(frozen=True)
class Agent:
    """How to make an agent: algorithm, policy, spaces, and arguments."""

    algorithm: str
    action: gymnasium.Space = field(default_factory=lambda: CHOICE)
    observation: gymnasium.Space = field(default_factory=lambda: VECTOR)
    policy: str = "MlpPolicy"
    arguments: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        kinds = (self.policy, type(self.observation).__name__, type(self.action).__name__, *self.network)
        return "-".join([self.algorithm, *kinds])

    def make(self) -> Any:
        """Return the agent, its weights random and its statistics not those of a new one."""
        made = getattr(stable_baselines3, self.algorithm, None) or getattr(sb3_contrib, self.algorithm)
        settings = {"policy_kwargs": {"net_arch": [8, 6], **self.network}, "seed": 0, "device": "cpu"}
        if self.algorithm in REPLAY:
            settings["buffer_size"] = 1
        return made(self.policy, Env(self.observation, self.action), **settings | self.arguments)

    def observations(self, count: int) -> Any:
        """Return a batch of observations, seeded."""
        self.observation.seed(1)
        drawn = [self.observation.sample() for _ in range(count)]
        if isinstance(self.observation, spaces.Dict):
            return {key: np.stack([one[key] for one in drawn]) for key in drawn[0]}
        return np.stack(drawn)


REPLAY = frozenset({"DQN", "QRDQN", "SAC", "TD3", "DDPG", "TQC", "CrossQ"})
SMALL = {"n_steps": 4, "batch_size": 4}


def agents() -> list[Agent]:
    """Return agents of every algorithm, and of every kind of space."""
    recurrent = {"lstm_hidden_size": 7, "n_lstm_layers": 2}
    return [
        Agent("PPO", arguments=SMALL),
        Agent("PPO", LARGE, arguments=SMALL, network={"share_features_extractor": False}),
        Agent("PPO", spaces.MultiDiscrete([2, 3]), spaces.MultiDiscrete([4, 2]), arguments=SMALL),
        Agent("PPO", spaces.MultiBinary(4), spaces.MultiBinary(3), arguments=SMALL),
        Agent("PPO", CHOICE, PARTS, "MultiInputPolicy", SMALL),
        Agent("A2C", LARGE, arguments={"use_sde": True}),
        Agent("TRPO", observation=spaces.Discrete(6), arguments=SMALL),
        Agent("ARS", LARGE, arguments={"n_delta": 1}),
        Agent("MaskablePPO", spaces.MultiDiscrete([2, 3]), arguments=SMALL),
        Agent("RecurrentPPO", policy="MlpLstmPolicy", arguments=SMALL, network=recurrent),
        Agent("DQN", observation=IMAGE, policy="CnnPolicy"),
        Agent("QRDQN", network={"n_quantiles": 5}),
        Agent("SAC", LARGE, IMAGE, "CnnPolicy", network={"share_features_extractor": True}),
        Agent("TD3", LARGE),
        Agent("DDPG", LARGE),
        Agent("TQC", LARGE),
        Agent("CrossQ", LARGE),
    ]


Raw = Callable[[Any, Any], dict[str, Any]]
"""From an SB3 policy and a tensor of observations to the heads that ckptkit's graphs have."""


def _critic(policy: Any, x: Any) -> dict[str, Any]:
    head = policy.get_distribution(x).distribution
    logits = {"logits": head.logits} if hasattr(head, "logits") else {"mean_actions": head.mean}
    return {"value": policy.predict_values(x), **logits}


RAW: dict[str, Raw] = {
    "PPO": lambda policy, x: {"value": policy.predict_values(x)},
    "TRPO": _critic,
    "A2C": _critic,
    "DQN": lambda policy, x: {"q_values": policy.q_net(x)},
    "QRDQN": lambda policy, x: {"quantiles": policy.quantile_net(x)},
    "SAC": lambda policy, x: {"mean_actions": policy.actor.get_action_dist_params(x)[0]},
    "TQC": lambda policy, x: {"mean_actions": policy.actor.get_action_dist_params(x)[0]},
    "CrossQ": lambda policy, x: {"mean_actions": policy.actor.get_action_dist_params(x)[0]},
}
