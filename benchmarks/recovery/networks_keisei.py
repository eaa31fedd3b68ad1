"""Keisei's residual tower over planes, widths, depths, ratios and eras; the older network."""

import itertools
from collections.abc import Iterator, Mapping

from torch import nn

from benchmarks.recovery.network import OPEN, WITHIN, Config, Network, Truth

SQUARES = 81
ERAS = {
    "": {},
    "E1": {"optimizer_state_dict": {}},
    "E2": {"optimizer_state_dict": {}, "global_timestep": 9, "total_episodes_completed": 2},
}
ERAS["E3"] = {**ERAS["E2"], "black_wins": 1, "white_wins": 1, "draws": 0}
ERAS["E4"] = {**ERAS["E3"], "scheduler_state_dict": {}, "lr_schedule_type": "linear"}
ERAS["E5"] = {**ERAS["E4"], "elo_state": {}, "metrics_history": {}}
ERAS["epochs"] = {"epoch": 3, "step": 40, "world_size": 1, "optimizer_state_dict": {}}
WIDTHS = ((8, 13527), (24, 81), (96, 2187), (256, 13527))


class Squeeze(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        hidden = max(1, int(width * ratio))
        self.fc1, self.fc2 = nn.Conv2d(width, hidden, 1), nn.Conv2d(hidden, width, 1)


class Block(nn.Module):
    """A residual block."""

    def __init__(self, width: int, ratio: float | None) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        if ratio:
            self.se = Squeeze(width, ratio)


class Tower(nn.Module):
    """The residual tower."""

    def __init__(self, *, planes: int, width: int, depth: int, ratio: float | None, actions: int) -> None:
        super().__init__()
        self.stem, self.bn_stem = nn.Conv2d(planes, width, 3, padding=1), nn.BatchNorm2d(width)
        self.res_blocks = nn.ModuleList(Block(width, ratio) for _ in range(depth))
        body = [nn.Conv2d(width, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten()]
        self.policy_head = nn.Sequential(*body, nn.Linear(2 * SQUARES, actions))
        body = [nn.Conv2d(width, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten()]
        self.value_head = nn.Sequential(*body, nn.Linear(2 * SQUARES, 1))


class ActorCritic(nn.Module):
    """The older network."""

    def __init__(self, *, planes: int, actions: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(planes, 16, 3, padding=1)
        self.policy_head = nn.Linear(16 * SQUARES, actions)
        self.value_head = nn.Linear(16 * SQUARES, 1)


def truth(config: Config, era: str) -> Mapping[str, Truth]:
    """Return what the fields are, and how well weights tell them."""
    found = {
        "input_channels": Truth(config["planes"]),
        "num_actions_total": Truth(config["actions"]),
        "board": Truth([9, 9], WITHIN),
    }
    if "width" not in config:
        return found | {"era": Truth("actor_critic")}
    ratio = config["ratio"]
    return found | {
        "tower_width": Truth(config["width"]),
        "tower_depth": Truth(config["depth"]),
        "se_ratio": Truth(ratio, WITHIN if config["depth"] else OPEN),
        "era": Truth(era, "proven") if era else Truth(None, OPEN),
    }


def others(config: Config, size: int) -> Iterator[Config]:
    """Yield networks that differ in one hyper-parameter and may have an axis of `size`."""
    for name in ("planes", "actions", "width"):
        if name in config:
            yield {**config, name: size}
    if config.get("ratio"):
        yield {**config, "ratio": size / config["width"]}


def networks() -> Iterator[Network]:
    """Yield every network."""
    eras = itertools.cycle(ERAS)
    grid = itertools.product((46, 51), WIDTHS, (0, 1, 5), (None, 0.0, 0.0625, 0.25, 0.5))
    for planes, (width, actions), depth, ratio in grid:
        if depth == 0 and ratio:
            continue
        config = {"planes": planes, "width": width, "depth": depth, "ratio": ratio, "actions": actions}
        yield network("keisei tower", Tower, config, next(eras))
    for planes, actions in itertools.product((46, 51), (81, 2187, 13527)):
        yield network("keisei, one convolution", ActorCritic, {"planes": planes, "actions": actions}, "")


def network(kind: str, make: type[nn.Module], config: Config, era: str) -> Network:
    """Return one network."""
    return Network(
        kind=kind,
        family="keisei",
        config=config,
        make=make,
        truth=lambda one: truth(one, era),
        others=others,
        droppable=("num_batches_tracked",),
        assume=("keisei",),
        beside=ERAS[era],
    )
