"""Networks of eight kinds over grids, in plain torch, and files made from them."""

from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ckptkit import api, recovery
from ckptkit.model.recovered import Hints, Recovered
from tests.recovery.seed_models import Noisy

OWN = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)
RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)
CELLS = (nn.LSTMCell, nn.GRUCell, nn.RNNCell)
SIZES = ("input_size", "hidden_size")
NAMES: tuple[tuple[tuple[type[nn.Module], ...], tuple[str, ...]], ...] = (
    ((nn.Linear,), ("in_features", "out_features")),
    ((Noisy,), ()),
    (OWN, ("in_channels", "out_channels", "kernel_size", "groups")),
    (NORMS, ("num_features", "affine", "track_running_stats")),
    ((nn.LayerNorm, nn.RMSNorm), ("normalized_shape",)),
    ((nn.GroupNorm,), ("num_groups", "num_channels")),
    ((nn.PReLU,), ("num_parameters",)),
    (RECURRENT, (*SIZES, "num_layers", "bias", "bidirectional")),
    (CELLS, (*SIZES, "bias")),
    ((nn.Embedding, nn.EmbeddingBag), ("num_embeddings", "embedding_dim")),
    ((nn.MultiheadAttention,), ("embed_dim", "num_heads", "kdim", "vdim")),
    ((nn.Bilinear,), ("in1_features", "in2_features", "out_features")),
)


def truth(module: nn.Module) -> dict[str, Any] | None:
    """Return what a module was made with, as the report has it; None for one without tensors of its own."""
    for kinds, names in NAMES:
        if type(module) in kinds:
            found: dict[str, Any] = {name: plain(getattr(module, name)) for name in names}
            return {"type": type(module).__name__, **found, **more(module)}
    return None


def more(module: nn.Module) -> dict[str, Any]:
    """Return the attributes that torch keeps under another name."""
    if isinstance(module, Noisy):
        rows, columns = module.weight_mu.shape
        sizes = {"in_features": columns, "out_features": rows, "bias": True, "noise": "factors"}
        return {**sizes, "type": "NoisyLinear"}
    if isinstance(module, nn.MultiheadAttention):
        return {"bias": module.in_proj_bias is not None, "add_bias_kv": module.bias_k is not None}
    if isinstance(module, nn.RNN | nn.RNNCell):
        return {"nonlinearity": module.nonlinearity}
    if isinstance(module, nn.LSTM):
        return {"proj_size": module.proj_size}
    if isinstance(
        module, nn.RMSNorm | nn.PReLU | nn.Embedding | nn.EmbeddingBag | nn.GRU | nn.LSTMCell | nn.GRUCell
    ):
        return {}
    return {"bias": module.bias is not None}


def plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def truths(net: nn.Module) -> dict[str, dict[str, Any]]:
    """Return what each module below a network was made with, by path."""
    found: dict[str, dict[str, Any]] = {}
    for path, module in net.named_modules():
        if isinstance(module, nn.MultiheadAttention | nn.Linear) and path.endswith("out_proj"):
            continue
        said = truth(module)
        if said:
            found[path] = said
    return found


def perceptrons() -> Iterator[nn.Module]:
    for widths, norm, bias in product(
        [(4, 8, 2), (5, 7, 7, 3), (16, 1)], [None, nn.LayerNorm, nn.BatchNorm1d], [True, False]
    ):
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, bias=bias), *([norm(after)] if norm else []), nn.ReLU()]
        yield nn.ModuleDict({"net": nn.Sequential(*layers[:-1])})


def convolutional() -> Iterator[nn.Module]:
    for channels, kernels, groups in product([1, 3, 4], [(8, 4, 3), (3, 3)], [1, 2]):
        layers: list[nn.Module] = []
        before = channels
        for at, kernel in enumerate(kernels):
            after = 8 << at
            layers += [nn.Conv2d(before, after, kernel, groups=groups if at else 1), nn.ReLU()]
            before = after
        yield nn.ModuleDict({"cnn": nn.Sequential(*layers, nn.Flatten()), "fc": nn.Linear(before * 4, 5)})


class Block(nn.Module):
    def __init__(self, width: int, squeeze: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        if squeeze:
            self.fc1, self.fc2 = nn.Linear(width, squeeze), nn.Linear(squeeze, width)


def residual() -> Iterator[nn.Module]:
    for width, depth, squeeze in product([6, 8], [2, 3], [0, 2]):
        blocks = nn.ModuleList(Block(width, squeeze) for _ in range(depth))
        yield nn.ModuleDict({"stem": nn.Conv2d(3, width, 3), "blocks": blocks, "head": nn.Linear(width, 4)})


def recurrent() -> Iterator[nn.Module]:
    for kind, layers, both, bias in product(RECURRENT, [1, 2], [False, True], [False, True]):
        inner = kind(6, 5, layers, bias=bias, bidirectional=both)
        yield nn.ModuleDict(
            {"rnn": inner, "actor": nn.Linear(5 + 5 * both, 3), "critic": nn.Linear(5 + 5 * both, 1)}
        )
    yield nn.ModuleDict({"rnn": nn.LSTM(6, 8, 2, proj_size=3)})
    for cell in CELLS:
        yield nn.ModuleDict({"cell": cell(6, 5), "out": nn.Linear(5, 2)})


def transformers() -> Iterator[nn.Module]:
    for width, heads, depth in product([4, 12], [1, 4], [1, 2]):
        layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 9, batch_first=True) for _ in range(depth)
        )
        yield nn.ModuleDict({"emb": nn.Embedding(11, width), "layers": layers, "norm": nn.LayerNorm(width)})
    yield nn.ModuleDict({"attn": nn.MultiheadAttention(6, 3, kdim=4, vdim=5, add_bias_kv=True)})
    yield nn.ModuleDict({"attn": nn.MultiheadAttention(6, 2, bias=False)})


class Dueling(nn.Module):
    def __init__(self, hidden: int, actions: int, atoms: int, layer: type[nn.Module]) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(5, hidden), nn.ReLU())
        self.value = nn.Sequential(layer(hidden, 7), nn.ReLU(), layer(7, atoms or 1))
        self.advantage = nn.Sequential(layer(hidden, 7), nn.ReLU(), layer(7, actions * (atoms or 1)))
        if atoms:
            self.register_buffer("support", torch.linspace(-10, 10, atoms))


def dueling() -> Iterator[nn.Module]:
    for hidden, actions, atoms, layer in product([6, 9], [2, 4], [0, 5], [nn.Linear, Noisy]):
        yield Dueling(hidden, actions, atoms, layer)


def joined() -> Iterator[nn.Module]:
    for width, extra in product([40, 64], [1, 3, 40]):
        yield nn.ModuleDict({"image": nn.Linear(10, width), "head": nn.Linear(width + extra, 6)})


def autoencoders() -> Iterator[nn.Module]:
    pairs = [
        (nn.Conv1d, nn.ConvTranspose1d),
        (nn.Conv2d, nn.ConvTranspose2d),
        (nn.Conv3d, nn.ConvTranspose3d),
    ]
    for (down, up), bias in product(pairs, [True, False]):
        encoder = nn.Sequential(down(2, 6, 3, bias=bias), nn.ELU(), down(6, 6, 3, bias=bias))
        decoder = nn.Sequential(up(6, 6, 3, bias=bias), nn.ELU(), up(6, 2, 3, bias=bias))
        yield nn.ModuleDict({"encoder": encoder, "decoder": decoder, "act": nn.PReLU(6)})


KINDS = (perceptrons, convolutional, residual, recurrent, transformers, dueling, joined, autoencoders)


def recovered(weights: object, folder: Path, hints: Hints | None = None) -> Recovered:
    """Save a state dict, read it, and return what is said of it."""
    torch.save(weights, folder / "net.pth")
    checkpoint = api.read(folder / "net.pth")
    return recovery.generic.recover(checkpoint, hints or Hints())
