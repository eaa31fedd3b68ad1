"""MettaAgent's default brain over channels, cores and actions, and the small policies with an LSTM."""

import itertools
from collections.abc import Iterator, Mapping

import torch
from torch import nn

from benchmarks.recovery.network import OPEN, PROVEN, WITHIN, Config, Network, Truth

GRID = 11
"""Cells on a side of what an agent sees."""


class Component(nn.Module):
    """What MettaAgent puts around each layer."""

    def __init__(self, layer: nn.Module, *, activation: nn.Module | None = None) -> None:
        super().__init__()
        self._net = layer if activation is None else nn.Sequential(layer, activation)


class Normalizer(nn.Module):
    """Divides each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("obs_norm", torch.empty(1, channels, 1, 1))


class Embedding(nn.Module):
    """A row for each action that any game has, and which rows this game's actions are."""

    def __init__(self, actions: int, rows: int, width: int) -> None:
        super().__init__()
        self.register_buffer("active_indices", torch.arange(actions, device="cpu"))
        self._net = nn.Embedding(rows, width)


class Bilinear(nn.Module):
    """Scores an action by a bilinear form of state and embedding."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.empty(1, hidden, width))
        self.bias = nn.Parameter(torch.empty(1))


class Brain(nn.Module):
    """The default brain."""

    def __init__(
        self, *, channels: int, width: int, layers: int, actions: int, normalized: bool, rows: int = 100
    ) -> None:
        super().__init__()
        parts: dict[str, nn.Module] = {"obs_normalizer": Normalizer(channels)} if normalized else {}
        self.components = nn.ModuleDict(
            {
                **parts,
                "cnn1": Component(nn.Conv2d(channels, 64, 5, 3), activation=nn.ReLU()),
                "cnn2": Component(nn.Conv2d(64, 64, 3, 1), activation=nn.ReLU()),
                "fc1": Component(nn.Linear(64, width), activation=nn.ReLU()),
                "encoded_obs": Component(nn.Linear(width, width), activation=nn.ReLU()),
                "_core_": Component(nn.LSTM(width, width, layers)),
                "critic_1": Component(nn.Linear(width, 8 * width), activation=nn.Tanh()),
                "_value_": Component(nn.Linear(8 * width, 1)),
                "actor_1": Component(nn.Linear(width, 4 * width), activation=nn.ReLU()),
                "_action_embeds_": Embedding(actions, rows, 16),
                "_action_": Bilinear(4 * width, 16),
            }
        )


class SmallPolicy(nn.Module):
    """A perceptron, an LSTM and two heads."""

    def __init__(self, *, observation: int, hidden: int, actions: int) -> None:
        super().__init__()
        self._net = nn.Sequential(nn.Linear(observation, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self._rnn = nn.LSTM(hidden, hidden, batch_first=True)
        self._action_head, self._value_head = nn.Linear(hidden, actions), nn.Linear(hidden, 1)


def brain_truth(config: Config) -> Mapping[str, Truth]:
    """Return what the fields are; a file whose indices were never set does not say the actions."""
    actions = config["actions"]
    return {
        "channels": Truth(config["channels"]),
        "obs_normalizer": Truth(config["normalized"], PROVEN if config["normalized"] else WITHIN),
        "hidden_size": Truth(config["width"]),
        "core_num_layers": Truth(config["layers"]),
        "critic_1.out_features": Truth(8 * config["width"]),
        "actor_1.out_features": Truth(4 * config["width"]),
        "cnn1.kernel_size": Truth(5),
        "cnn1.stride": Truth(3, OPEN),
        "n_actions": Truth(actions) if actions else Truth(None, OPEN),
    }


def small_truth(config: Config) -> Mapping[str, Truth]:
    """Return what the fields are."""
    return {
        "obs_size": Truth(config["observation"]),
        "hidden_size": Truth(config["hidden"]),
        "rnn.num_layers": Truth(1),
        "n_actions": Truth(config["actions"]),
    }


def others(config: Config, size: int) -> Iterator[Config]:
    """Yield networks that differ in one hyper-parameter and may have an axis of `size`."""
    for name in ("channels", "actions", "observation"):
        if name in config:
            yield {**config, name: size}
    if "channels" in config:
        yield {**config, "rows": size}


def networks() -> Iterator[Network]:
    """Yield every network."""
    sizes = itertools.product((20, 22, 25, 34), (32, 128), (1, 2, 3))
    for number, (channels, width, layers) in enumerate(sizes):
        config = {"channels": channels, "width": width, "layers": layers}
        config |= {"actions": (0, 9, 5, 20)[number % 4], "normalized": number % 3 > 0}
        yield network("metta brain", Brain, config, brain_truth)
    for observation, hidden, actions in itertools.product((600, 200, 33), (64, 128), (5, 19)):
        config = {"observation": observation, "hidden": hidden, "actions": actions}
        yield network("metta, small policies", SmallPolicy, config, small_truth)


def network(kind: str, make: type[nn.Module], config: Config, truth: object) -> Network:
    """Return one network."""
    return Network(
        kind=kind, family="metta", config=config, make=make, truth=truth, others=others, assume=("metta",)
    )
