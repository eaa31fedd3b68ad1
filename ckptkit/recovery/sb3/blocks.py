"""Blocks that every SB3 policy is made of: Sequential networks and features extractors.

Sources: stable-baselines3 2.9.2, `common/torch_layers.py`: `create_mlp`, `MlpExtractor`,
`NatureCNN`, `CombinedExtractor`; sb3-contrib 2.9.2, `crossq/policies.py`.
"""

from dataclasses import dataclass

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder

STRIDES = {0: 4, 2: 2, 4: 1}
"""Stride of each convolution of NatureCNN, by its index."""


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation layer type with its attributes."""

    type: str
    attrs: dict[str, object]


def sequential(builder: GraphBuilder, path: str, x: str, activation: Activation, *, tail: bool) -> str:
    """Add what `create_mlp` made at `path`: Linear, and norms where they stand, with activations between.

    Args:
        builder: Where to add.
        path: Module path of the Sequential; it may be empty of layers.
        x: Value that it takes.
        activation: What stands at the indices without parameters.
        tail: Whether an activation follows the last Linear.

    Raises:
        ArchitectureError: The indices are not those of a Sequential that SB3 makes.
    """
    indices = builder.indices(path)
    for position, index in enumerate(indices):
        x = _layer(builder, f"{path}.{index}", x)
        following = indices[position + 1] if position + 1 < len(indices) else None
        gap = (
            (following - index - 1)
            if following is not None
            else int(tail and _is_linear(builder, path, index))
        )
        if gap > 1:
            raise ArchitectureError(f"{path} has {gap} layers without parameters behind index {index}")
        if gap:
            x = activate(builder, x, activation, f"{path}.{index + 1}")
    return x


def activate(builder: GraphBuilder, x: str, activation: Activation, name: str) -> str:
    """Add one activation."""
    return builder.add(activation.type, x, name=name, **activation.attrs)


def _is_linear(builder: GraphBuilder, path: str, index: int) -> bool:
    return f"{path}.{index}.weight" in builder.tensors


def _layer(builder: GraphBuilder, path: str, x: str) -> str:
    if f"{path}.ra_mean" in builder.tensors:
        return builder.own("BatchRenorm1d", path, x, num_features=builder.shape(f"{path}.ra_mean")[0])
    return builder.linear(path, x)


def nature_cnn(builder: GraphBuilder, path: str, x: str) -> str:
    """Add a NatureCNN: three convolutions of known strides, flatten, one Linear, ReLU behind each."""
    if builder.indices(f"{path}.cnn") != [0, 2, 4] or builder.indices(f"{path}.linear") != [0]:
        raise ArchitectureError(f"{path} is not a NatureCNN: its layers have other indices")
    for index, stride in STRIDES.items():
        x = builder.conv(f"{path}.cnn.{index}", x, stride=[stride, stride])
        x = builder.add("ReLU", x, name=f"{path}.cnn.{index + 1}")
    x = builder.add("Flatten", x, name=f"{path}.cnn.5")
    x = builder.linear(f"{path}.linear.0", x)
    return builder.add("ReLU", x, name=f"{path}.linear.1")


def combined(builder: GraphBuilder, path: str, parts: dict[str, str]) -> str:
    """Add a CombinedExtractor: each part through its own extractor, then side by side in order."""
    values = []
    for key, value in parts.items():
        part = f"{path}.extractors.{key}"
        if builder.has(f"{part}.cnn."):
            values.append(nature_cnn(builder, part, value))
        else:
            values.append(flatten(builder, value))
    return builder.add("Concat", *values, name=f"{path}/concat", axis=1) if len(values) > 1 else values[0]


def flatten(builder: GraphBuilder, x: str) -> str:
    """Add a Flatten of `x`, once however many extractors take it."""
    name = f"{x}/flat"
    return name if name in builder.names else builder.add("Flatten", x, name=name)
