"""The layer vocabulary: one module a kin of layers, each saying all of it.

A `LayerType` gives the shape rule, the parameters, the ONNX lowering and the torch module of one
type. A module defines `LAYERS`, a tuple of them; discovery finds it.
"""

import importlib
import math
import pkgutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from ckptkit.errors import ArchitectureError
from ckptkit.model.architecture import Shape, ValueType

if TYPE_CHECKING:
    from ckptkit.layers.onnx_scope import OnnxScope

Attrs = Mapping[str, Any]
Types = Sequence[ValueType]
FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
"""Element types that a tensor may be stored in where a layer computes with float32."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or buffer that a layer owns.

    Attributes:
        shape: Sizes as the state dict has them.
        dtype: Safetensors spelling; where it is one of `FLOATS`, the tensor may be any of them.
        buffer: Whether torch registers it as a buffer.
        optional: Whether the state dict may lack it.
    """

    shape: tuple[int, ...]
    dtype: str = "F32"
    buffer: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerType:
    """One word of the vocabulary.

    Attributes:
        type: PyTorch's own name where it has one.
        summary: One line for the specification.
        infer: Types of the outputs from those of the inputs. The attributes are valid under the
            schema and the number of inputs is one of `takes`; all else is for it to check.
        onnx: Adds nodes; takes and returns value names.
        torch: Makes what is called with the inputs: a `torch.nn.Module` whose parameter names are
            those of `parameters`, or a plain function for a layer that has none.
        parameters: The tensors it owns, by their names below the layer's, in torch's order.
        defaults: Attribute values that may be left out.
        takes: Possible numbers of inputs; None for one or more.
    """

    type: str
    summary: str
    infer: Callable[[Attrs, Types], Sequence[ValueType]]
    onnx: Callable[["OnnxScope", Attrs, Sequence[str]], Sequence[str]]
    torch: Callable[[Attrs], Callable[..., Any]]
    parameters: Callable[[Attrs], Mapping[str, Parameter]] = lambda _: {}
    defaults: Attrs = field(default_factory=dict)
    takes: Collection[int] | None = (1,)


@cache
def vocabulary() -> Mapping[str, LayerType]:
    """Return every layer type by its name."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    kinds = [kind for module in modules for kind in getattr(module, "LAYERS", ())]
    return {kind.type: kind for kind in sorted(kinds, key=lambda kind: kind.type)}


def layer_type(name: str) -> LayerType:
    """Return the layer type of that name.

    Raises:
        ArchitectureError: The vocabulary has no such word.
    """
    kind = vocabulary().get(name)
    if kind is None:
        raise ArchitectureError(f"unknown layer type {name!r}", fix="a newer ckptkit may know it")
    return kind


def torch_nn(name: str) -> Callable[[Attrs], Callable[..., Any]]:
    """Return a maker of the `torch.nn` module `name`, whose arguments the attributes are."""

    def make(attrs: Attrs) -> Callable[..., Any]:
        from torch import nn

        made: Callable[..., Any] = getattr(nn, name)(**attrs)
        return made

    return make


def own_module(name: str) -> Callable[[Attrs], Callable[..., Any]]:
    """Return a maker of the module `name` of `ckptkit.nn`, whose arguments the attributes are."""

    def make(attrs: Attrs) -> Callable[..., Any]:
        from ckptkit.nn import modules

        made: Callable[..., Any] = getattr(modules, name)(**attrs)
        return made

    return make


def expect(condition: object, message: str) -> None:
    """Refuse inputs that a layer cannot take.

    Raises:
        ArchitectureError: `condition` is false.
    """
    if not condition:
        raise ArchitectureError(message)


def expect_float(*types: ValueType) -> None:
    """Refuse inputs that are not float32.

    Raises:
        ArchitectureError: One is of another type.
    """
    for value in types:
        expect(value.dtype == "F32", f"takes F32, got {value}")


def expect_features(value: ValueType, size: int) -> None:
    """Refuse what is not float32, or has another size than `size` along its last axis.

    Raises:
        ArchitectureError: So it is.
    """
    expect_float(value)
    expect(value.shape and value.shape[-1] == size, f"takes {size} features, got {value}")


def expect_channels(value: ValueType, channels: int, ranks: Collection[int]) -> None:
    """Refuse what is not float32 of (batch, channels, …) with one of `ranks` axes.

    Raises:
        ArchitectureError: So it is.
    """
    expect_float(value)
    expect(
        len(value.shape) in ranks and value.shape[0] is None and value.shape[1] == channels,
        f"takes (batch, {channels}, …) of {' or '.join(map(str, sorted(ranks)))} axes, got {value}",
    )
    behind_batch(value)


def behind_batch(value: ValueType) -> tuple[int, ...]:
    """Return the sizes behind the leading batch axis.

    Raises:
        ArchitectureError: The first axis, or another one, is not what it must be for that.
    """
    sizes = tuple(size for size in value.shape[1:] if size is not None)
    expect(
        value.shape[:1] == (None,) and len(sizes) == len(value.shape) - 1,
        f"takes a leading batch axis, got {value}",
    )
    return sizes


def elements(value: ValueType) -> int:
    """Return how many elements a value has for each element of the batch."""
    return math.prod(size for size in value.shape if size is not None)


def broadcast(types: Types) -> Shape:
    """Return the numpy-style broadcast of the shapes of `types`.

    Raises:
        ArchitectureError: They do not broadcast.
    """
    shape: list[int | None] = []
    longest = max(len(value.shape) for value in types)
    padded = [(1,) * (longest - len(value.shape)) + value.shape for value in types]
    for sizes in zip(*padded, strict=True):
        found = {size for size in sizes if size != 1}
        expect(len(found) <= 1, f"shapes do not broadcast: {', '.join(map(str, types))}")
        shape.append(found.pop() if found else 1)
    return tuple(shape)
