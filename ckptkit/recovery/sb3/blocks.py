"""Blocks that every SB3 policy is made of: Sequential networks and NatureCNN.

Sources: stable-baselines3 2.9.2, `common/torch_layers.py`: `create_mlp`, `MlpExtractor`,
`NatureCNN`; sb3-contrib 2.9.2, `crossq/policies.py`. The layers are the same since 0.8.0.
"""

from collections.abc import Mapping
from typing import Any

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.sb3.activations import IDENTITY, SLOPE, Activation, Chosen

CONVOLUTIONS = ((0, 32, 8, 4), (2, 64, 4, 2), (4, 64, 3, 1))
"""Index, output channels, kernel size and stride of each convolution of NatureCNN."""


def mlp(
    builder: GraphBuilder,
    path: str,
    x: str,
    activation: Chosen,
    *,
    tail: bool,
    norm: Mapping[str, Any] | None = None,
) -> str:
    """Add what `create_mlp` made at `path`: Linear layers, norms in front, activations between.

    Args:
        builder: Where to add.
        path: Module path of the Sequential; it may be empty of layers.
        x: Value that it takes.
        activation: Says what stands behind a Linear.
        tail: Whether an activation follows the last Linear too.
        norm: Attributes of the BatchRenorm layers of CrossQ; None where there can be none.

    Raises:
        ArchitectureError: The indices are not those of a Sequential that SB3 makes.
    """
    path = builder.canonical(path)
    indices, expected = builder.indices(path), 0
    linears = _linears(builder, path)
    while indices and expected <= indices[-1]:
        name = f"{path}.{expected}"
        if expected in linears:
            x = builder.linear(name, x)
            if tail or expected != linears[-1]:
                x = activate(builder, x, activation(), f"{path}.{expected + 1}")
                expected += 1
        elif norm is not None and _is_norm(builder, path, expected):
            sizes = {"num_features": builder.shape(f"{name}.ra_mean", 1, "running mean")[0]}
            x = builder.own("BatchRenorm1d", name, x, **sizes, **norm)
        else:
            raise ArchitectureError(f"what is {name}? SB3 puts a Linear there")
        expected += 1
    return x


def _linears(builder: GraphBuilder, path: str) -> list[int]:
    found = ((index, builder.tensors.get(f"{path}.{index}.weight")) for index in builder.indices(path))
    return [index for index, weight in found if weight is not None and len(weight.shape) == 2]


def _is_norm(builder: GraphBuilder, path: str, index: int) -> bool:
    return f"{path}.{index}.ra_mean" in builder.tensors


def widths(builder: GraphBuilder, path: str, *, tail: bool) -> list[int]:
    """Return the sizes of the hidden layers of a Sequential, the `net_arch` that made it."""
    sizes = [builder.shape(f"{path}.{index}.weight")[0] for index in _linears(builder, path)]
    return sizes if tail else sizes[:-1]


def activate(builder: GraphBuilder, x: str, activation: Activation, name: str) -> str:
    """Add one activation; `name` is its module path, where a PReLU has its slope."""
    if activation.type == IDENTITY:
        return x
    if activation.type == SLOPE:
        return builder.own(SLOPE, name, x, num_parameters=builder.shape(f"{name}.weight", 1, "slope")[0])
    return builder.add(activation.type, x, name=name, **activation.attrs)


def nature_cnn(builder: GraphBuilder, path: str, x: str) -> str:
    """Add a NatureCNN: three convolutions of known sizes, flatten, one Linear, ReLU behind each.

    Raises:
        ArchitectureError: The tensors are of other sizes, so that it is none.
    """
    found = [index for index, *_ in CONVOLUTIONS]
    if builder.indices(f"{path}.cnn") != found or builder.indices(f"{path}.linear") != [0]:
        raise ArchitectureError(f"what is {path}? it is no NatureCNN: its layers have other indices")
    for index, channels, kernel, stride in CONVOLUTIONS:
        name = f"{path}.cnn.{index}"
        shape = builder.shape(f"{name}.weight")
        if len(shape) != 4 or (shape[0], *shape[2:]) != (channels, kernel, kernel):
            raise ArchitectureError(
                f"what is {path}? it is no NatureCNN: {name}.weight has shape {list(shape)}"
            )
        x = builder.conv(name, x, stride=[stride, stride])
        x = builder.add("ReLU", x, name=f"{path}.cnn.{index + 1}")
    x = builder.add("Flatten", x, name=f"{path}.cnn.6")
    x = builder.linear(f"{path}.linear.0", x)
    return builder.add("ReLU", x, name=f"{path}.linear.1")


def flatten(builder: GraphBuilder, x: str) -> str:
    """Add a Flatten of `x`, once however many extractors take it."""
    return builder.add("Flatten", x, name=f"{x}/flat")
