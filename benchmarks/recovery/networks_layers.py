"""Every layer of torch's that owns tensors, in each of its forms, between two Linear layers."""

import itertools
from collections.abc import Iterator
from typing import Any

from torch import nn

from benchmarks.recovery.network import Network
from benchmarks.recovery.networks_generic import Parts, network

Form = tuple[str, tuple[Any, ...], dict[str, Any]]
"""Type, positional arguments, named ones."""
WITHOUT = {"bias": False}
NORMS = (
    ("BatchNorm", {}),
    ("BatchNorm", {"affine": False}),
    ("BatchNorm", {"momentum": None}),
    ("InstanceNorm", {"affine": True}),
    ("InstanceNorm", {"affine": True, "track_running_stats": True}),
)
ATTENTION = ({}, WITHOUT, {"kdim": 3}, {"vdim": 3}, {"add_bias_kv": True}, {"kdim": 3, "vdim": 5})
OTHERS: tuple[Form, ...] = (
    ("Linear", (6, 6), {}),
    ("Linear", (6, 1), WITHOUT),
    ("Embedding", (6, 6), {}),
    ("EmbeddingBag", (9, 6), {}),
    ("LayerNorm", (6,), {}),
    ("LayerNorm", (6,), WITHOUT),
    ("LayerNorm", ((3, 6),), {}),
    ("RMSNorm", ((3, 6),), {}),
    ("GroupNorm", (2, 6), {}),
    ("GroupNorm", (1, 1), {}),
    ("PReLU", (), {}),
    ("PReLU", (6,), {}),
    ("Bilinear", (3, 4, 5), {}),
    ("Bilinear", (3, 4, 5), WITHOUT),
)


def single(*, layer: str, settings: tuple[Any, ...], named: tuple[tuple[str, Any], ...]) -> nn.Module:
    """Return one layer between two Linear layers."""
    made = getattr(nn, layer)(*settings, **dict(named))
    return Parts({"before": nn.Linear(5, 6), "layer": made, "after": nn.Linear(6, 2)})


def forms() -> Iterator[Form]:
    """Yield every form of every layer."""
    kinds = [f"{kind}{n}d" for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)]
    sizes = ((6, 6, 3), (6, 12, 1), (12, 6, 3))
    yield from itertools.product(kinds, sizes, ({}, WITHOUT, {"groups": 3}, {"groups": 6}))
    for (kind, named), n in itertools.product(NORMS, (1, 2, 3)):
        yield f"{kind}{n}d", (6,), named
    cores = ("LSTM", "GRU", "RNN")
    yield from itertools.product(cores, [(6, 6)], ({}, WITHOUT, {"bidirectional": True}, {"num_layers": 3}))
    yield from itertools.product([f"{core}Cell" for core in cores], [(6, 9)], ({}, WITHOUT))
    yield from itertools.product(["MultiheadAttention"], [(12, 3)], ATTENTION)
    yield from OTHERS


def networks() -> Iterator[Network]:
    """Yield every network."""
    for layer, settings, named in forms():
        config = {"layer": layer, "settings": settings, "named": tuple(named.items())}
        yield network("generic, one layer", single, config)
