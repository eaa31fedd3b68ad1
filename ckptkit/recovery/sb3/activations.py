"""The activation that `activation_fn` names: one of torch's own classes, called without arguments."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ckptkit.errors import ArchitectureError
from ckptkit.layers import vocabulary
from ckptkit.model.inert import ClassRef

IDENTITY = "Identity"
SLOPE = "PReLU"
NAMES = frozenset(
    [
        "ReLU",
        "ReLU6",
        "LeakyReLU",
        "ELU",
        "CELU",
        "SELU",
        "GELU",
        "SiLU",
        "Mish",
        "Tanh",
        "Sigmoid",
        "LogSigmoid",
        "Hardsigmoid",
        "Hardswish",
        "Hardtanh",
        "Softplus",
        "Softsign",
        "Hardshrink",
        "Softshrink",
        "Tanhshrink",
        SLOPE,
        IDENTITY,
    ]
)
"""Elementwise classes of `torch.nn` (2.13) that need no argument; only `PReLU` owns a tensor, its slope."""

MODULES = ("torch.nn", "torch.nn.modules.activation", "torch.nn.modules.linear")


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation layer type with its attributes; `Identity` adds no layer."""

    type: str
    attrs: dict[str, object] = field(default_factory=dict)


Chosen = Callable[[], Activation]
"""Says the activation where a network has one, so that it is asked for only there."""


def relu() -> Activation:
    """Return what NatureCNN and LinearQNet have built in."""
    return Activation("ReLU")


def chosen(value: object) -> Activation:
    """Return the activation of a class reference, or of a name from the table of defaults.

    Raises:
        ArchitectureError: It is none that ckptkit can build.
    """
    name = value.name if isinstance(value, ClassRef) else str(value)
    foreign = isinstance(value, ClassRef) and value.module not in MODULES
    if foreign or name not in NAMES or (name != IDENTITY and name not in vocabulary()):
        raise ArchitectureError(f"what does the activation {value} compute? it is none of the vocabulary's")
    return Activation(name)
