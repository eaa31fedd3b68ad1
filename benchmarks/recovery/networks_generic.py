"""Networks of eight kinds that no system's family claims; the truth is read off torch's own modules."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from benchmarks.recovery.network import PROVEN, WITHIN, Network, Truth

CONV = ("in_channels", "out_channels", "kernel_size", "groups", "bias")
RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "bidirectional")
TOLD: dict[str, tuple[str, ...]] = {
    "Linear": ("in_features", "out_features", "bias"),
    "Embedding": ("num_embeddings", "embedding_dim"),
    "LayerNorm": ("normalized_shape",),
    "RMSNorm": ("normalized_shape",),
    "GroupNorm": ("num_channels",),
    "MultiheadAttention": ("embed_dim", "kdim", "vdim"),
    "LSTM": (*RECURRENT, "proj_size"),
    "NoisyLinear": ("in_features", "out_features"),
}
CELL = ("input_size", "hidden_size", "bias")
TOLD |= dict.fromkeys(("LSTMCell", "GRUCell", "RNNCell"), CELL)
TOLD |= {f"InstanceNorm{n}d": ("num_features",) for n in (1, 2, 3)}
TOLD |= {"EmbeddingBag": TOLD["Embedding"], "PReLU": ("num_parameters",)}
TOLD["Bilinear"] = ("in1_features", "in2_features", "out_features", "bias")
TOLD |= {f"Conv{n}d": CONV for n in (1, 2, 3)} | {f"ConvTranspose{n}d": CONV for n in (1, 2, 3)}
TOLD |= {f"BatchNorm{n}d": ("num_features",) for n in (1, 2, 3)} | {
    "GRU": RECURRENT,
    "RNN": (*RECURRENT, "nonlinearity"),
}
"""Attributes of each type that shapes have a part in."""
SURE = frozenset(["LSTM", "GRU", "NoisyLinear"])
"""Types that no other shares its names and shapes with; a Linear is one where it has a bias."""


class NoisyLinear(nn.Module):
    """Factorised noise in one of its usual spellings."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self.in_features, self.out_features = columns, rows
        self.weight_mu = nn.Parameter(torch.empty(rows, columns))
        self.weight_sigma = nn.Parameter(torch.empty(rows, columns))
        self.bias_mu = nn.Parameter(torch.empty(rows))
        self.bias_sigma = nn.Parameter(torch.empty(rows))
        self.register_buffer("weight_epsilon", torch.empty(rows, columns))
        self.register_buffer("bias_epsilon", torch.empty(rows))


class Parts(nn.Module):
    """Modules under names, in order."""

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


def perceptron(*, sizes: tuple[int, ...], norm: bool, bias: bool) -> nn.Module:
    """Return Linear layers with activations and, where asked for, norms between them."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after, bias=bias), *([nn.LayerNorm(after)] if norm else []), nn.GELU()]
    return Parts({"body": nn.Sequential(*layers), "out": nn.Linear(sizes[-1], 3)})


def convolutional(*, channels: int, kernels: tuple[int, ...], side: int) -> nn.Module:
    """Return convolutions, a Linear behind the flattened image, and a side input."""
    layers: list[nn.Module] = []
    for index, kernel in enumerate(kernels):
        layers += [nn.Conv2d(channels if index == 0 else 16 * index, 16 * (index + 1), kernel), nn.ReLU()]
    wide = 16 * len(kernels) * 25
    return Parts(
        {"features": nn.Sequential(*layers), "fc1": nn.Linear(wide + side, 64), "fc2": nn.Linear(64, 5)}
    )


def residual(*, width: int, depth: int, squeeze: int) -> nn.Module:
    """Return residual blocks of convolutions and BatchNorm, squeeze-and-excitation where asked for."""

    def block() -> nn.Module:
        convolutions = {f"conv{i}": nn.Conv2d(width, width, 3, bias=False) for i in (1, 2)}
        norms = {f"bn{i}": nn.BatchNorm2d(width) for i in (1, 2)}
        gate = {"down": nn.Linear(width, squeeze), "up": nn.Linear(squeeze, width)} if squeeze else {}
        return Parts({**convolutions, **norms, **gate})

    blocks = nn.Sequential(*(block() for _ in range(depth)))
    return Parts({"conv1": nn.Conv2d(3, width, 7), "layer1": blocks, "fc": nn.Linear(width, 10)})


def attending(*, width: int, heads: int, depth: int, vocabulary: int) -> nn.Module:
    """Return a transformer encoder behind an embedding."""
    layer = nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True)
    encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
    return Parts({"embed": nn.Embedding(vocabulary, width), "encoder": encoder, "lm": nn.Linear(width, 7)})


def recurrent(*, kind: str, size: int, hidden: int, layers: int, both: bool, projected: int) -> nn.Module:
    """Return a recurrent core between two Linear layers."""
    more = {"proj_size": projected} if projected else {}
    core = getattr(nn, kind)(size, hidden, layers, bidirectional=both, **more)
    wide = (projected or hidden) * (2 if both else 1)
    return Parts({"encoder": nn.Linear(9, size), "core": core, "decoder": nn.Linear(wide, 4)})


def dueling(*, observation: int, hidden: int, actions: int, atoms: int, noisy: bool) -> nn.Module:
    """Return a dueling network with noisy layers or without."""
    kind = NoisyLinear if noisy else nn.Linear
    heads = {
        "value": nn.Sequential(kind(hidden, hidden), nn.ReLU(), kind(hidden, atoms)),
        "advantage": nn.Sequential(kind(hidden, hidden), nn.ReLU(), kind(hidden, actions * atoms)),
    }
    return Parts({"feature": nn.Sequential(nn.Linear(observation, hidden), nn.ReLU()), **heads})


def autoencoder(*, axes: int, channels: int, latent: int) -> nn.Module:
    """Return convolutions and their transposed counterparts, of one to three axes."""
    down, up = getattr(nn, f"Conv{axes}d"), getattr(nn, f"ConvTranspose{axes}d")
    norm = getattr(nn, f"BatchNorm{axes}d")
    encoder = nn.Sequential(down(2, channels, 4, 2), norm(channels), nn.ReLU(), down(channels, latent, 3))
    decoder = nn.Sequential(up(latent, channels, 3), norm(channels), nn.ReLU(), up(channels, 2, 4, 2))
    return Parts({"encoder": encoder, "decoder": decoder})


def grouped(*, channels: int, groups: int, width: int) -> nn.Module:
    """Return depthwise convolutions, GroupNorm and RMSNorm."""
    body = nn.Sequential(
        nn.Conv2d(3, channels, 3),
        nn.GroupNorm(groups, channels),
        nn.SiLU(),
        nn.Conv2d(channels, channels, 3, groups=channels),
        nn.Conv2d(channels, width, 1),
    )
    return Parts({"stem": body, "norm": nn.RMSNorm(width), "classifier": nn.Linear(width, 6)})


GRIDS: dict[str, tuple[Callable[..., nn.Module], dict[str, tuple[Any, ...]]]] = {
    "perceptron": (
        perceptron,
        {"sizes": ((4, 32), (17, 64, 48), (8, 8, 8, 8)), "norm": (False, True), "bias": (True, False)},
    ),
    "convolutional": (
        convolutional,
        {"channels": (1, 3, 4), "kernels": ((3, 3), (8, 4, 3)), "side": (0, 1)},
    ),
    "residual": (residual, {"width": (8, 32, 64), "depth": (1, 3), "squeeze": (0, 4)}),
    "transformer": (
        attending,
        {"width": (16, 64), "heads": (2, 8), "depth": (1, 3), "vocabulary": (11, 300)},
    ),
    "recurrent": (
        recurrent,
        {"kind": ("LSTM", "GRU", "RNN"), "size": (12, 32), "hidden": (32,), "layers": (1, 2)}
        | {"both": (False, True), "projected": (0,)},
    ),
    "projected LSTM": (
        recurrent,
        {"kind": ("LSTM",), "size": (12, 16), "hidden": (24,), "layers": (1, 2), "both": (False, True)}
        | {"projected": (8,)},
    ),
    "dueling": (
        dueling,
        {"observation": (4, 27), "hidden": (32, 64), "actions": (3, 6), "atoms": (1, 51)}
        | {"noisy": (False, True)},
    ),
    "autoencoder": (autoencoder, {"axes": (1, 2, 3), "channels": (8, 12), "latent": (5, 16)}),
    "grouped": (grouped, {"channels": (8, 24), "groups": (1, 4), "width": (12, 30)}),
}


def labels(module: nn.Module) -> dict[str, Truth]:
    """Return type and attributes of every layer that owns tensors, by path."""
    found = {}
    for path, layer in module.named_modules():
        kind = type(layer).__name__
        if kind in TOLD and path:
            given = (*TOLD[kind], *getattr(layer, "__constants__", ()))
            value = {"type": kind} | {n: plain(getattr(layer, n)) for n in given if hasattr(layer, n)}
            sure = kind in SURE or (kind == "Linear" and layer.bias is not None)
            found[f"modules.{path}"] = Truth(value, PROVEN if sure else WITHIN)
    return {path: one for path, one in found.items() if not path.endswith(".out_proj")}


def plain(value: object) -> object:
    """Return an attribute as JSON has it; `bias` is a tensor or None where there is one."""
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, bool | int | float | str) else value is not None


def networks() -> Iterator[Network]:
    """Yield every network."""
    for kind, (make, grid) in GRIDS.items():
        for values in itertools.product(*grid.values()):
            name = "recurrent" if kind == "projected LSTM" else kind
            yield network(f"generic {name}", make, dict(zip(grid, values, strict=True)))


def network(kind: str, make: Callable[..., nn.Module], config: dict[str, Any]) -> Network:
    """Return one network."""
    with torch.device("meta"):
        truth = labels(make(**config))
    return Network(kind=kind, family="generic", config=config, make=make, truth=lambda _: truth)
