"""Asteroids networks from their configuration, built as every other network: from a graph."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ckptkit import recovery
from ckptkit.errors import ArchitectureError
from ckptkit.model import extras
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.recovery.asteroids.reading import DUELING, HIDDEN, LAST, PLAIN, THREE
from ckptkit.recovery.image_sizes import behind
from ckptkit.storage.source import MemorySource
from ckptkit.training.model_config import ModelConfig

if TYPE_CHECKING:
    import torch

    from ckptkit.graph.torch_module import GraphModule

SUPPORT = "support"
MEMORY = "memory"
"""Format and container of what never was a file."""


def create_model_from_config(
    model_config: ModelConfig | Mapping[str, object],
    device: "str | torch.device" = "cpu",
    *,
    seed: int | None = None,
) -> "GraphModule":
    """Return a new network in training mode; calling it gives its outputs by name.

    `model(obs)["q_values"]` is (batch, n_action), of a distributional network `["probabilities"]` too:
    (batch, n_action, n_atoms). Convolutions and linear layers start as torch's own do. Noisy layers draw
    their means evenly within 1/sqrt(inputs) and start with a noise of noisy_std_init/sqrt(inputs); they
    draw factorised noise anew in each call while the module trains, and use their means alone when it
    evaluates.

    Args:
        model_config: What to build.
        device: Where the parameters go; they are drawn on the CPU, so that a seed gives the same ones.
        seed: Draws the same weights each time, and leaves torch's generator as it was; None draws from it.

    Raises:
        ArchitectureError: The fields allow no such network.
        UsageError: They contradict each other.
        MissingExtraError: torch is not installed.
    """
    extras.require("torch", "creating a network")
    import torch

    from ckptkit.graph.torch_module import GraphModule

    config = ModelConfig.of(model_config)
    graph = graph_of(describe(blank(config)))
    with _seeded(seed):
        module = GraphModule(graph, order=shapes(config))
    if config.distributional_dqn:
        low, high, count = config.v_min, config.v_max, config.n_atoms
        module.tensor(SUPPORT).copy_(torch.linspace(low, high, count))
    module.to(device)
    return module


def describe(checkpoint: Checkpoint) -> Recovered:
    """Return the architecture of a state dict whose `model_config` says what it is."""
    return recovery.recover(checkpoint, Hints())


def graph_of(found: Recovered, fix: str = "") -> Graph:
    """Return the graph that was found.

    Raises:
        ArchitectureError: There is none; the message names the open questions.
    """
    if found.graph is None:
        raise ArchitectureError(f"the architecture is not known: {'; '.join(found.questions)}", fix=fix)
    return found.graph


def blank(config: ModelConfig) -> Checkpoint:
    """Return a checkpoint that has the names and shapes of a network, and no weights but its atoms."""
    tensors = {name: _tensor(shape, b"") for name, shape in shapes(config).items()}
    if config.distributional_dqn:
        tensors[SUPPORT] = _tensor((len(atoms(config)),), struct.pack(f"<{config.n_atoms}f", *atoms(config)))
    return Checkpoint(path="", format=MEMORY, container=MEMORY, tensors=tensors, model_config=config.words())


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the state dict of a network: shapes by name, in the order of the system's own module."""
    found: dict[str, tuple[int, ...]] = {}
    if config.distributional_dqn:
        found[SUPPORT] = (len(atoms(config)),)
    before, height, width = config.input_shape
    for index, (channels, kernel) in enumerate(THREE):
        found[f"conv.{2 * index}.weight"] = (channels, before, kernel, kernel)
        found[f"conv.{2 * index}.bias"] = (channels,)
        before = channels
    windows = [(kernel, kernel // 2) for _, kernel in THREE]
    features = before * behind(height, windows) * behind(width, windows)
    rows = len(atoms(config)) or 1
    heads = DUELING if config.dueling_dqn else PLAIN
    for head in heads:
        last = rows if head == DUELING[0] else rows * config.n_action
        found |= _linear(f"{head}.0", HIDDEN, features, noisy=config.noisy_networks)
        found |= _linear(f"{head}.{LAST}", last, HIDDEN, noisy=config.noisy_networks)
    return found


def atoms(config: ModelConfig) -> tuple[float, ...]:
    """Return the atoms of a distributional network, lowest first; none for any other."""
    low, high, count = config.v_min, config.v_max, config.n_atoms
    if low is None or high is None or count is None:
        return ()
    return tuple(low + (high - low) * index / (count - 1) for index in range(count))


def _linear(path: str, rows: int, columns: int, *, noisy: bool) -> dict[str, tuple[int, ...]]:
    if not noisy:
        return {f"{path}.weight": (rows, columns), f"{path}.bias": (rows,)}
    return {
        f"{path}.weight_mu": (rows, columns),
        f"{path}.weight_sigma": (rows, columns),
        f"{path}.bias_mu": (rows,),
        f"{path}.bias_sigma": (rows,),
        f"{path}.epsilon_input": (columns,),
        f"{path}.epsilon_output": (rows,),
    }


def _tensor(shape: tuple[int, ...], data: bytes) -> Tensor:
    return Tensor(BY_NAME["F32"], shape, contiguous_strides(shape), 0, Storage(MemorySource(data, MEMORY)))


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    import torch

    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
