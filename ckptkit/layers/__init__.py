"""The layer vocabulary: one module a kin of layers, each saying all of it.

A `LayerType` gives the shape rule, the parameters, the ONNX lowering and the torch module of one
type. A module defines `LAYERS`, a tuple of them; discovery finds it.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from ckptkit.errors import ArchitectureError
from ckptkit.model.architecture import Shape, ValueType

if TYPE_CHECKING:
    from ckptkit.layers.onnx_scope import OnnxScope

Attrs = Mapping[str, Any]
Types = Sequence[ValueType]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or buffer that a layer owns.

    Attributes:
        shape: Sizes as the state dict has them.
        dtype: Safetensors spelling; floating types may be any of F16, BF16, F32, F64.
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
        infer: Types of the outputs from those of the inputs.
        onnx: Adds nodes; takes and returns value names.
        torch: Makes what is called with the inputs: a `torch.nn.Module` whose parameter names are
            those of `parameters`, or a plain function for a layer that has none.
        parameters: The tensors it owns, by their names below the layer's.
        defaults: Attribute values that may be left out.
    """

    type: str
    summary: str
    infer: Callable[[Attrs, Types], Sequence[ValueType]]
    onnx: Callable[["OnnxScope", Attrs, Sequence[str]], Sequence[str]]
    torch: Callable[[Attrs], Callable[..., Any]]
    parameters: Callable[[Attrs], Mapping[str, Parameter]] = lambda _: {}
    defaults: Attrs = field(default_factory=dict)


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


def features(value: ValueType) -> int:
    """Return the size of the last axis.

    Raises:
        ArchitectureError: There is none, or it is the batch.
    """
    if not value.shape or value.shape[-1] is None:
        raise ArchitectureError(f"needs a last axis of fixed size, got {value}")
    return value.shape[-1]


def expect(condition: object, message: str) -> None:
    """Refuse inputs that a layer cannot take.

    Raises:
        ArchitectureError: `condition` is false.
    """
    if not condition:
        raise ArchitectureError(message)


def same_shape(types: Types) -> Shape:
    """Return the numpy-style broadcast of the shapes of `types`.

    Raises:
        ArchitectureError: They do not broadcast.
    """
    shape: list[int | None] = []
    longest = max(len(value.shape) for value in types)
    for axis in range(longest):
        sizes = {v.shape[axis - longest + len(v.shape)] for v in types if axis - longest + len(v.shape) >= 0}
        sizes.discard(1) if len(sizes) > 1 else None
        expect(len(sizes) == 1, f"shapes do not broadcast: {', '.join(str(value) for value in types)}")
        shape.append(sizes.pop())
    return tuple(shape)
