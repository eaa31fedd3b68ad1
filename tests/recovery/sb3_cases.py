"""Combinations of algorithm, policy, spaces and keywords that Stable-Baselines3 accepts, all tiny."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import spaces
from torch import nn

HIGH = np.array([2.0, 0.5], np.float32)

VECTORS = {
    "box": spaces.Box(-1.0, 1.0, (3,)),
    "unbounded": spaces.Box(-np.inf, np.inf, (4,)),
    "double": spaces.Box(-5.0, 5.0, (3,), np.float64),
    "integers": spaces.Box(-9, 9, (3,), np.int32),
    "bytes": spaces.Box(0, 40, (5,), np.uint8),
    "matrix": spaces.Box(-1.0, 1.0, (2, 3)),
    "cube": spaces.Box(0.0, 1.0, (2, 3, 2)),
    "dim_image": spaces.Box(0, 20, (2, 3, 4), np.uint8),
    "discrete": spaces.Discrete(5),
    "discrete_from_1": spaces.Discrete(4, start=1),
    "multi_discrete": spaces.MultiDiscrete([3, 2, 4]),
    "one_discrete": spaces.MultiDiscrete([4]),
    "multi_binary": spaces.MultiBinary(4),
    "binary_matrix": spaces.MultiBinary([2, 3]),
}
IMAGES = {
    "image": spaces.Box(0, 255, (1, 36, 36), np.uint8),
    "image_last": spaces.Box(0, 255, (36, 40, 3), np.uint8),
}
DICTS = {
    "vectors": spaces.Dict({"z": VECTORS["box"], "a": VECTORS["matrix"]}),
    "mixed": spaces.Dict(
        {
            "turn": spaces.Discrete(3),
            "bits": spaces.MultiBinary(2),
            "parts": spaces.MultiDiscrete([2, 3]),
            "x": spaces.Box(-1.0, 1.0, (2,), np.float64),
        }
    ),
    "pictures": spaces.Dict(
        {"vec": VECTORS["box"], "img": IMAGES["image_last"], "eye": IMAGES["image_last"]}
    ),
}
ACTIONS = {
    "discrete": spaces.Discrete(3),
    "discrete_from_1": spaces.Discrete(4, start=1),
    "box": spaces.Box(-1.0, 1.0, (2,)),
    "uneven_box": spaces.Box(np.array([-1.0, -3.0], np.float32), HIGH),
    "matrix_box": spaces.Box(-2.0, 3.0, (2, 2)),
    "multi_discrete": spaces.MultiDiscrete([2, 3]),
    "multi_binary": spaces.MultiBinary(3),
}
ACTIVATIONS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Tanh,
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.Softplus,
    nn.Softsign,
    nn.Hardshrink,
    nn.Softshrink,
    nn.Tanhshrink,
    nn.PReLU,
    nn.Identity,
)
GAUSSIAN = ("PPO", "A2C", "TRPO", "RecurrentPPO")
VALUE = ("DQN", "QRDQN")
OFF_POLICY = ("SAC", "TQC", "CrossQ", "TD3", "DDPG")
NOT_RECURRENT = ("multi_discrete", "one_discrete", "mixed")
"""Spaces whose size SB3 gives torch's LSTM as a numpy number, which it refuses."""
BOXES = ("box", "uneven_box", "matrix_box")


@dataclass(frozen=True)
class Case:
    """One model to make.

    Attributes:
        algorithm: Class name.
        policy: Name that the algorithm takes, without `Policy`.
        observation: Key of `VECTORS`, `IMAGES` or `DICTS`.
        action: Key of `ACTIONS`.
        kwargs: `policy_kwargs`.
        settings: Other arguments of the algorithm.
    """

    algorithm: str
    policy: str
    observation: str
    action: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        words = [f"{k}={getattr(v, '__name__', v)}" for k, v in (self.kwargs | self.settings).items()]
        return "-".join([self.algorithm, self.policy, self.observation, self.action, *words]).replace(" ", "")

    @property
    def space(self) -> spaces.Space:
        return {**VECTORS, **IMAGES, **DICTS}[self.observation]


def named(algorithm: str, kind: str) -> str:
    return kind + ("LstmPolicy" if algorithm == "RecurrentPPO" else "Policy")


def mlp(algorithm: str, observation: str, action: str, **kwargs: Any) -> Case:
    arch = kwargs.pop("net_arch", [8, 8] if algorithm != "RecurrentPPO" else [6])
    settings = {"use_sde": True} if kwargs.pop("use_sde", False) else {}
    small = {"lstm_hidden_size": 5} if algorithm == "RecurrentPPO" else {}
    kind = "MultiInput" if observation in DICTS else "Cnn" if observation in IMAGES else "Mlp"
    return Case(
        algorithm,
        named(algorithm, kind),
        observation,
        action,
        small | {"net_arch": arch} | kwargs,
        settings,
    )


def spaces_of_each_algorithm() -> Iterator[Case]:
    """Each algorithm with each kind of action that it takes, observations in turn."""
    every = [*VECTORS, "vectors", "mixed"]
    turn = itertools.cycle(every)
    for algorithm, action in itertools.product(GAUSSIAN, [*ACTIONS] * 2):
        observation = next(turn)
        refused = algorithm == "RecurrentPPO" and observation in NOT_RECURRENT
        yield mlp(algorithm, "box" if refused else observation, action)
    for action in ("discrete", "multi_discrete", "multi_binary") * 5:
        yield mlp("MaskablePPO", next(turn), action)
    for algorithm, observation in itertools.product(VALUE, every):
        yield mlp(algorithm, observation, "discrete")
    for algorithm, action in itertools.product(OFF_POLICY, BOXES * 2):
        observation = next(turn)
        dict_unknown = algorithm == "CrossQ" and observation in DICTS
        yield mlp(algorithm, "box" if dict_unknown else observation, action)


def images() -> Iterator[Case]:
    for algorithm in (*GAUSSIAN, "MaskablePPO", *VALUE, "SAC", "TQC", "TD3", "DDPG"):
        action = "box" if algorithm in OFF_POLICY else "discrete"
        for observation, width in (("image", 16), ("image_last", 8)):
            yield mlp(algorithm, observation, action, features_extractor_kwargs={"features_dim": width})
        yield mlp(algorithm, "pictures", action, features_extractor_kwargs={"cnn_output_dim": 6})
    for algorithm, action in (("PPO", "discrete"), ("DQN", "discrete"), ("SAC", "box")):
        wide = {"features_extractor_kwargs": {"features_dim": 9}, "normalize_images": False}
        yield mlp(algorithm, "image", action, **wide)
        case = mlp(algorithm, "image", action)
        yield Case(algorithm, "MlpPolicy", "image", action, case.kwargs)
        yield Case(algorithm, "MlpPolicy", "image", action, case.kwargs | {"normalize_images": False})
    for algorithm in ("PPO", "DQN", "TD3"):  # the defaults of a CnnPolicy
        yield Case(algorithm, "CnnPolicy", "image", "box" if algorithm == "TD3" else "discrete")


def activations() -> Iterator[Case]:
    algorithms = itertools.cycle([*GAUSSIAN, "MaskablePPO", *VALUE, *OFF_POLICY, "ARS"])
    for activation, algorithm in zip(ACTIVATIONS, algorithms, strict=False):
        action = "uneven_box" if algorithm in (*OFF_POLICY, "ARS") else "discrete"
        yield mlp(algorithm, "box", action, activation_fn=activation)
    for activation in (nn.ELU, nn.GELU, nn.PReLU):
        for algorithm in ("PPO", "SAC", "CrossQ", "QRDQN"):
            yield mlp(
                algorithm, "matrix", "box" if algorithm != "QRDQN" else "discrete", activation_fn=activation
            )


def exploration() -> Iterator[Case]:
    """Generalised state-dependent exploration: what of it changes the mean, and what does not."""
    for algorithm in ("PPO", "A2C", "RecurrentPPO"):
        for kwargs in ({}, {"full_std": False}, {"squash_output": True}, {"use_expln": True}):
            yield mlp(algorithm, "box", "uneven_box", use_sde=True, **kwargs)
    for algorithm in ("SAC", "TQC", "CrossQ"):
        for kwargs in ({}, {"clip_mean": 0.3}, {"clip_mean": 0.0}, {"use_expln": True}):
            yield mlp(algorithm, "box", "matrix_box", use_sde=True, **kwargs)


def on_policy_networks() -> Iterator[Case]:
    """Widths and sharing."""
    forms = ([], [7], {"pi": [], "vf": [5]}, {"pi": [6, 4]}, [{"pi": [3], "vf": [4]}])
    for algorithm in (*GAUSSIAN, "MaskablePPO"):
        for arch in forms:
            yield mlp(algorithm, "box", "discrete", net_arch=arch)
        yield mlp(algorithm, "box", "discrete", share_features_extractor=False)
    for algorithm, share in itertools.product(("PPO", "MaskablePPO", "SAC", "TD3"), (True, False)):
        action = "box" if algorithm in OFF_POLICY else "multi_discrete"
        wide = {"features_extractor_kwargs": {"features_dim": 8}}
        yield mlp(algorithm, "image", action, share_features_extractor=share, **wide)


def other_networks() -> Iterator[Case]:
    """Widths and counts, and nothing said at all."""
    for algorithm, arch in itertools.product(VALUE, ([], [9], [4, 5, 6])):
        yield mlp(algorithm, "box", "discrete_from_1", net_arch=arch)
    for algorithm in OFF_POLICY:
        yield mlp(algorithm, "box", "box", net_arch=[])
        yield mlp(algorithm, "box", "box", net_arch={"pi": [5], "qf": [6, 7]})
        yield mlp(algorithm, "box", "box", n_critics=1)
        yield mlp(algorithm, "box", "box", n_critics=3)
    yield mlp("QRDQN", "box", "discrete", n_quantiles=7)
    yield mlp("TQC", "box", "box", n_quantiles=5, n_critics=3)
    for kwargs in ({"batch_norm": False}, {"batch_norm_eps": 0.5}, {"batch_norm_momentum": 0.1}):
        yield mlp("CrossQ", "box", "box", **kwargs)
    for algorithm, action in (("PPO", "discrete"), ("DQN", "discrete"), ("SAC", "box"), ("TQC", "box")):
        yield Case(algorithm, "MlpPolicy", "box", action)


def recurrent() -> Iterator[Case]:
    for action in ("discrete", "box"):
        for kwargs in (
            {"n_lstm_layers": 2},
            {"enable_critic_lstm": False},
            {"enable_critic_lstm": False, "shared_lstm": True},
            {"enable_critic_lstm": False, "shared_lstm": True, "n_lstm_layers": 3},
            {"lstm_kwargs": {"bias": False}},
            {"n_lstm_layers": 2, "lstm_kwargs": {"dropout": 0.5}},
            {"share_features_extractor": False},
        ):
            yield mlp("RecurrentPPO", "box", action, **kwargs)
    unshared = {"share_features_extractor": False, "enable_critic_lstm": False}
    yield mlp("RecurrentPPO", "image", "discrete", features_extractor_kwargs={"features_dim": 7}, **unshared)


def linear_search() -> Iterator[Case]:
    for action in ("discrete", "box", "uneven_box", "matrix_box"):
        for kwargs in ({}, {"with_bias": True}, {"with_bias": False}):
            yield Case("ARS", "LinearPolicy", "box", action, kwargs)
        yield Case("ARS", "MlpPolicy", "multi_binary", action, {"net_arch": [6]})
        yield Case("ARS", "MlpPolicy", "discrete", action, {"net_arch": [], "with_bias": False})
    for policy in ("LinearPolicy", "MlpPolicy"):
        for squash in (True, False):
            arch = {"net_arch": [5]} if policy == "MlpPolicy" else {}
            yield Case("ARS", policy, "box", "uneven_box", {"squash_output": squash} | arch)


def cases() -> list[Case]:
    """Return every combination once."""
    made = [
        *spaces_of_each_algorithm(),
        *images(),
        *activations(),
        *exploration(),
        *on_policy_networks(),
        *other_networks(),
        *recurrent(),
        *linear_search(),
    ]
    return list({case.id: case for case in made}.values())
