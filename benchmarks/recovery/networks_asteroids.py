"""Asteroids DQN over its eight combinations, image sizes, actions and atoms; the older network."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from benchmarks.recovery.network import OPEN, PROVEN, WITHIN, Config, Network, Truth

THREE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
FOUR = (
    ((16, 16, 8), (32, 4, 2), (64, 4, 2), (64, 2, 1)),
    ((24, 16, 8), (48, 6, 3), (48, 2, 1), (64, 2, 1)),
    ((16, 16, 8), (16, 2, 1), (32, 2, 1), (32, 4, 2)),
)
SIZES = (
    ((4, 84, 84), 6, 51, (-10.0, 10.0)),
    ((3, 44, 51), 4, 21, (0.0, 0.1)),
    ((1, 64, 64), 18, 5, (-1.0, 200.0)),
    ((4, 96, 72), 5, 101, (-21.0, 21.0)),
    ((12, 36, 37), 3, 2, (-0.5, 0.5)),
    ((2, 160, 210), 14, 32, (-100.0, 0.0)),
)


class NoisyLinear(nn.Module):
    """Factorised noise."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self.weight_mu = nn.Parameter(torch.empty(rows, columns))
        self.weight_sigma = nn.Parameter(torch.empty(rows, columns))
        self.bias_mu = nn.Parameter(torch.empty(rows))
        self.bias_sigma = nn.Parameter(torch.empty(rows))
        self.register_buffer("epsilon_input", torch.empty(columns))
        self.register_buffer("epsilon_output", torch.empty(rows))


class Dqn(nn.Module):
    """The network."""

    def __init__(  # noqa: PLR0913 - one parameter a hyper-parameter
        self,
        *,
        shape: tuple[int, int, int],
        actions: int,
        atoms: int,
        ends: tuple[float, float],
        dueling: bool,
        noisy: bool,
        convolutions: tuple[tuple[int, int, int], ...] = THREE,
    ) -> None:
        super().__init__()
        layers, before = [], shape[0]
        for channels, kernel, stride in convolutions:
            layers += [nn.Conv2d(before, channels, kernel, stride), nn.ReLU()]
            before = channels
        self.conv = nn.Sequential(*layers)
        flat = self.conv(torch.zeros(1, *shape)).numel()
        if atoms:
            self.register_buffer("support", torch.linspace(*ends, atoms, device="cpu"))
        kind = NoisyLinear if noisy else nn.Linear

        def head(rows: int) -> nn.Sequential:
            return nn.Sequential(kind(flat, 512), nn.ReLU(), kind(512, rows))

        if dueling:
            self.value_stream = head(atoms or 1)
            self.advantage_stream = head(actions * (atoms or 1))
        else:
            self.fc = head(actions * (atoms or 1))


def truth(config: Config) -> Mapping[str, Truth]:
    """Return what the fields are, and how well weights tell them."""
    atoms, (low, high) = config["atoms"], config["ends"]
    told = PROVEN if atoms or config["dueling"] else WITHIN
    single = torch.tensor([low, high]).tolist()
    return {
        "input_shape": Truth(list(config["shape"]), WITHIN),
        "dueling_dqn": Truth(config["dueling"]),
        "noisy_networks": Truth(config["noisy"]),
        "distributional_dqn": Truth(bool(atoms), told),
        "n_action": Truth(config["actions"], told),
        "n_atoms": Truth(atoms or None, told),
        "v_min": Truth(single[0] if atoms else None, told if atoms else OPEN),
        "v_max": Truth(single[1] if atoms else None, told if atoms else OPEN),
        "noisy_std_init": Truth(0.5, OPEN),
    }


def others(config: Config, size: int) -> Iterator[Config]:
    """Yield networks that differ in one hyper-parameter and may have an axis of `size`."""
    channels, *image = config["shape"]
    convolutions = config.get("convolutions", THREE)
    yield {**config, "shape": (size, *image)}
    yield {**config, "actions": size}
    last = convolutions[-1][0]
    if size % last == 0:
        yield {**config, "shape": (channels, smallest(1, convolutions), smallest(size // last, convolutions))}
    if config["atoms"] and size > 1 and config["actions"] * config["atoms"] % size == 0:
        yield {**config, "atoms": size, "actions": config["actions"] * config["atoms"] // size}


def smallest(places: int, convolutions: tuple[tuple[int, int, int], ...]) -> int:
    """Return the fewest pixels that leave that many places."""
    for _, kernel, stride in reversed(convolutions):
        places = (places - 1) * stride + kernel
    return places


def networks() -> Iterator[Network]:
    """Yield every network."""
    switches = itertools.product((False, True), repeat=3)
    for (dueling, ranged, noisy), (shape, actions, atoms, ends) in itertools.product(switches, SIZES):
        config = {"shape": shape, "actions": actions, "atoms": atoms * ranged, "ends": ends}
        yield network("asteroids", {**config, "dueling": dueling, "noisy": noisy})
    for dueling, ranged, noisy in itertools.product((False, True), repeat=3):
        shape, actions, atoms, ends = SIZES[0]
        config = {"shape": shape, "actions": actions, "atoms": atoms * ranged, "ends": ends}
        yield stated({**config, "dueling": dueling, "noisy": noisy})
    for convolutions, (shape, actions, _, ends) in itertools.product(FOUR, SIZES[::3]):
        for dueling in (False, True):
            config = {"shape": (shape[0], 160, 144), "actions": actions, "atoms": 0, "ends": ends}
            config |= {"dueling": dueling, "noisy": False, "convolutions": convolutions}
            yield network("asteroids, four convolutions", config)


def network(kind: str, config: dict[str, Any]) -> Network:
    """Return one network."""
    return Network(
        kind=kind,
        family="asteroids",
        config=config,
        make=Dqn,
        truth=truth,
        others=others,
        droppable=("epsilon_input", "epsilon_output"),
        assume=("asteroids",),
        input_shape=config["shape"],
    )


def stated(config: dict[str, Any]) -> Network:
    """Return a network whose file says what it is, as versioned files do."""
    atoms, (low, high) = config["atoms"], config["ends"]
    words = {
        "input_shape": config["shape"],
        "n_action": config["actions"],
        "dueling_dqn": config["dueling"],
        "distributional_dqn": bool(atoms),
        "noisy_networks": config["noisy"],
        "n_atoms": atoms or None,
        "v_min": low if atoms else None,
        "v_max": high if atoms else None,
        "noisy_std_init": 0.5,
    }
    told = {name: Truth(list(word) if isinstance(word, tuple) else word) for name, word in words.items()}
    return replace(
        network("asteroids, with model_config", config),
        truth=lambda one: told if one is config else {},
        others=lambda _config, _size: iter(()),  # it would not be the one that the file states
        beside={"model_config": words},
        assume=(),
        input_shape=None,
    )
