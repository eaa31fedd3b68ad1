"""Policies of Stable-Baselines3 and sb3-contrib as bare state dicts, made by those libraries themselves.

RL-Snake's two features extractors and the Tetris network are such policies.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.qrdqn.policies import QRDQNPolicy
from sb3_contrib.tqc.policies import TQCPolicy
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import nn

from benchmarks.recovery.network import OPEN, PROVEN, WITHIN, Config, Network, Truth

POLICIES: dict[str, type[BasePolicy]] = {
    "actor-critic": ActorCriticPolicy,
    "recurrent": RecurrentActorCriticPolicy,
    "dqn": DQNPolicy,
    "qrdqn": QRDQNPolicy,
    "sac": SACPolicy,
    "td3": TD3Policy,
    "tqc": TQCPolicy,
}


class LinearQNet(BaseFeaturesExtractor):
    """RL-Snake's features extractor; an earlier one had LayerNorm and Dropout in each layer."""

    def __init__(self, space: gym.Space, features_dim: int, n_layers: int, *, normed: bool = False) -> None:
        super().__init__(space, features_dim)
        layers: list[nn.Module] = []
        before = int(np.prod(space.shape))
        for _ in range(n_layers):
            layers.append(nn.Linear(before, features_dim))
            layers += [nn.LayerNorm(features_dim)] if normed else []
            layers.append(nn.ReLU())
            layers += [nn.Dropout(0.1)] if normed else []
            before = features_dim
        self.flatten, self.linear = nn.Flatten(), nn.Sequential(*layers)


def policy(*, algorithm: str, observation: tuple[int, ...], actions: Any, **settings: Any) -> BasePolicy:
    """Return a policy as the library makes it.

    Args:
        algorithm: Key of `POLICIES`.
        observation: Shape; of three axes it is an image of bytes.
        actions: A number for Discrete, a list of numbers for MultiDiscrete, a tuple (n,) for Box.
        settings: `policy_kwargs`.
    """
    image = len(observation) == 3
    high, dtype = (255, np.uint8) if image else (1, np.float32)
    space = gym.spaces.Box(0, high, observation, dtype)
    if image:
        settings = {"features_extractor_class": NatureCNN, **settings}
    if isinstance(actions, tuple):
        action_space: gym.Space = gym.spaces.Box(-1, 1, actions, np.float32)
    else:
        kind = gym.spaces.Discrete if isinstance(actions, int) else gym.spaces.MultiDiscrete
        action_space = kind(actions)
    if algorithm in ("actor-critic", "recurrent"):
        settings = {"ortho_init": False, **settings}
    with torch.device("cpu"):  # the library looks at values while it builds; the caller drops them
        made = POLICIES[algorithm](space, action_space, lambda _: 1e-3, **settings)
    return made.to("meta")


ALGORITHMS = {
    "actor-critic": Truth("PPO", WITHIN),
    "recurrent": Truth("RecurrentPPO"),
    "dqn": Truth("DQN"),
    "qrdqn": Truth("QRDQN"),
    "sac": Truth("SAC", WITHIN),
    "td3": Truth("TD3", WITHIN),
    "tqc": Truth("TQC"),
}
"""What the names of a policy tell of the algorithm: A2C has PPO's, DDPG can have TD3's."""


TOLD = ("lstm_hidden_size", "n_lstm_layers", "enable_critic_lstm", "shared_lstm", "use_sde", "n_critics")
"""Settings that names and shapes of a policy tell."""


def truth(config: Config) -> Mapping[str, Truth]:
    """Return what the fields are, and how well weights tell them."""
    algorithm, arch, shape = config["algorithm"], config["net_arch"], list(config["observation"])
    second = {"dqn": "", "qrdqn": "", "actor-critic": "vf", "recurrent": "vf"}.get(algorithm, "qf")
    found = {
        "algorithm": ALGORITHMS[algorithm],
        "net_arch": Truth({"pi": arch, second: arch} if second and isinstance(arch, list) else arch),
        "input_shape": Truth(shape, WITHIN),
        "action_space": Truth(*actions(algorithm, config["actions"])),
        "activation_fn": Truth(None, OPEN),
    }
    if len(shape) < 3:
        found["observation_size"] = Truth(math.prod(shape))
    found |= {name: Truth(config[name]) for name in TOLD if name in config}
    if algorithm == "tqc":
        found["n_quantiles"] = Truth(config.get("n_quantiles", 25))
    if algorithm == "qrdqn":
        found["n_quantiles"] = Truth(config.get("n_quantiles", 200), WITHIN)
    kwargs = config.get("features_extractor_kwargs", {})
    return found | {name: Truth(kwargs[name]) for name in ("features_dim", "n_layers") if name in kwargs}


def actions(algorithm: str, sizes: Any) -> tuple[dict[str, object], str]:
    """Return the action space, and how well the tensors of that algorithm tell it."""
    if isinstance(sizes, tuple):
        return {"type": "Box", "shape": list(sizes)}, WITHIN
    if isinstance(sizes, list):
        return {"type": "MultiDiscrete", "nvec": sizes}, WITHIN
    return {"type": "Discrete", "n": sizes}, PROVEN if algorithm == "dqn" else WITHIN


def others(config: Config, size: int) -> Iterator[Config]:
    """Yield policies that differ in one size."""
    if len(config["observation"]) == 1:
        yield {**config, "observation": (size,)}
    if isinstance(config["actions"], int):
        yield {**config, "actions": size}
    elif isinstance(config["actions"], tuple):
        yield {**config, "actions": (size,)}


ARCHITECTURES: tuple[object, ...] = ([64, 64], [32], [400, 300], [])


SETTINGS: tuple[tuple[str, object, object, dict[str, object]], ...] = (
    ("actor-critic", {"pi": [32, 16], "vf": [64]}, 4, {}),
    ("actor-critic", {"pi": [], "vf": [64, 8]}, (2,), {}),
    ("actor-critic", [24], (2,), {"use_sde": True}),
    ("actor-critic", [24], 3, {"share_features_extractor": False}),
    ("recurrent", [16], 3, {"lstm_hidden_size": 24, "n_lstm_layers": 3}),
    ("recurrent", [16], 3, {"lstm_hidden_size": 24, "enable_critic_lstm": False, "shared_lstm": True}),
    ("recurrent", [16], (2,), {"lstm_hidden_size": 8, "enable_critic_lstm": False}),
    ("dqn", [], 5, {}),
    ("qrdqn", [16], 2, {"n_quantiles": 400}),
    ("sac", {"pi": [16], "qf": [32, 8]}, (2,), {"n_critics": 3}),
    ("sac", [16], (2,), {"use_sde": True, "n_critics": 1}),
    ("td3", {"pi": [16], "qf": [32, 8]}, (1,), {"n_critics": 1}),
    ("tqc", {"pi": [16], "qf": [32]}, (6,), {"n_critics": 5, "n_quantiles": 13}),
)
"""Algorithm, `net_arch`, actions and settings that are not the usual ones."""


def networks() -> Iterator[Network]:
    """Yield every network."""
    observations = itertools.cycle(((4,), (7,), (24,), (376,)))
    for algorithm, (arch, sizes, settings) in grid():
        config = {"algorithm": algorithm, "observation": next(observations), "actions": sizes}
        yield network(f"sb3 {algorithm}", {**config, "net_arch": arch, **settings})
    for algorithm, arch, sizes, settings in SETTINGS:
        config = {"algorithm": algorithm, "observation": (11,), "actions": sizes}
        yield network("sb3, unusual settings", {**config, "net_arch": arch, **settings})
    for channels, algorithm in itertools.product((1, 4), ("actor-critic", "dqn")):
        config = {"algorithm": algorithm, "observation": (channels, 36, 36), "actions": 5, "net_arch": []}
        yield network("sb3 images", config)
    for features, layers, normed in itertools.product((32, 64, 128), (1, 3, 4), (False, True)):
        kwargs = {"features_dim": features, "n_layers": layers, "normed": normed}
        config = {"algorithm": ("actor-critic", "dqn")[layers % 2], "observation": (7,), "actions": 3}
        config |= {"features_extractor_class": LinearQNet, "features_extractor_kwargs": kwargs}
        yield network("rl-snake LinearQNet", {**config, "net_arch": [64, 64]}, "rl-snake")
        yield extractor({"observation": 7, **kwargs})
    for arch in ([64, 64], [256, 256], [128], [128, 128, 64]):
        config = {"algorithm": "dqn", "observation": (40, 13), "actions": 40, "net_arch": arch}
        yield network("tetris", config)


def extractor(config: Config) -> Network:
    """Return RL-Snake's features extractor without its policy."""

    def make(*, observation: int, **kwargs: Any) -> nn.Module:
        return LinearQNet(gym.spaces.Box(0, 1, (observation,), np.float32), **kwargs)

    return Network(
        kind="rl-snake, extractor alone",
        family="rl-snake",
        config=config,
        make=make,
        truth=lambda one: {
            "features_dim": Truth(one["features_dim"]),
            "n_layers": Truth(one["n_layers"]),
            "input_shape": Truth([one["observation"]], WITHIN),
        },
        others=lambda one, size: iter([{**one, "observation": size}, {**one, "features_dim": size}]),
        assume=("rl-snake",),
        input_shape=(config["observation"],),
    )


def grid() -> Iterator[tuple[str, tuple[object, object, Config]]]:
    """Yield algorithm, `net_arch`, actions and other settings."""
    for arch, sizes in itertools.product(ARCHITECTURES, (2, 6, (3,), [3, 2])):
        yield "actor-critic", (arch, sizes, {})
        yield "recurrent", (arch, sizes, {"lstm_hidden_size": 32})
    for arch, algorithm, sizes in itertools.product(ARCHITECTURES[:3], ("dqn", "qrdqn"), (2, 6)):
        yield algorithm, (arch, sizes, {})
    for arch, algorithm in itertools.product(ARCHITECTURES[:3], ("sac", "td3", "tqc")):
        yield algorithm, (arch, (3,), {})


def network(kind: str, config: Config, *profiles: str) -> Network:
    """Return one network."""
    return Network(
        kind=kind,
        family="sb3-policy",
        config=config,
        make=policy,
        truth=truth,
        others=others,
        assume=("stable-baselines3", *profiles),
        input_shape=config["observation"],
    )
