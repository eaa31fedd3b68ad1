"""What a caller gives, matched with the inputs of a graph."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from ckptkit.errors import UsageError
from ckptkit.model.architecture import ValueType
from ckptkit.model.dtype import BY_NAME

if TYPE_CHECKING:
    import torch

ALLOWED, START = "action_mask", "episode_start"
ZEROS = frozenset({START, "state", "critic_state"})
"""First parts of the names of inputs that are zero, or false, in the first step of an episode."""

Inputs = Mapping[str, ValueType]


def bound(
    inputs: Inputs, needed: Collection[str], given: Sequence[object], named: Mapping[str, object]
) -> dict[str, "torch.Tensor"]:
    """Return a tensor for each input that is given or needed.

    Args:
        inputs: The graph's inputs.
        needed: Names of those that an output depends on.
        given: Values in order, or one mapping of them by name.
        named: Values by name; a mapping stands for the parts of its name (`obs` for `obs.a`, …).

    Raises:
        UsageError: One is missing, unknown, given twice, or of another shape.
    """
    values: dict[str, torch.Tensor] = {}
    for name, value in _flat(inputs, given, named):
        if name not in inputs:
            raise UsageError(f"the network has no input {name!r}", fix=f"its inputs: {', '.join(inputs)}")
        if name in values:
            raise UsageError(f"input {name!r} is given twice")
        values[name] = _fitting(name, inputs[name], value)
    for name in needed:
        if name not in values:
            values[name] = _default(name, inputs, values)
    return values


def _flat(
    inputs: Inputs, given: Sequence[object], named: Mapping[str, object]
) -> list[tuple[str, "torch.Tensor"]]:
    """Return name and tensor of everything given, with the parts of a Dict space by their full names."""
    if len(given) > len(inputs):
        raise UsageError(f"{len(given)} inputs are given, the network has {len(inputs)}")
    if len(given) == 1 and isinstance(given[0], Mapping):
        pairs = list(given[0].items())
    else:
        pairs = list(zip(inputs, given, strict=False))
    found: list[tuple[str, torch.Tensor]] = []
    for name, value in [*pairs, *named.items()]:
        if isinstance(value, Mapping):
            found += [(f"{name}.{key}", part) for key, part in value.items()]
        else:
            found.append((name if name in inputs or f"obs.{name}" not in inputs else f"obs.{name}", value))
    return found


def _fitting(name: str, expected: ValueType, value: "torch.Tensor") -> "torch.Tensor":
    """Return `value`, as the input's own type unless it is another floating one."""
    import torch

    shape = value.shape
    if len(shape) != len(expected.shape) or any(
        size not in (None, have) for size, have in zip(expected.shape, shape, strict=True)
    ):
        raise UsageError(f"input {name!r} takes {expected}, got shape {list(shape)}")
    dtype: torch.dtype = getattr(torch, BY_NAME[expected.dtype].torch)
    if value.is_floating_point() and dtype.is_floating_point:
        return value
    return value.to(dtype)


def _default(name: str, inputs: Inputs, values: Mapping[str, "torch.Tensor"]) -> "torch.Tensor":
    """Return what an input is in the first step of an episode, for as many as there are given."""
    import torch

    if name != ALLOWED and name.partition(".")[0] not in ZEROS:
        raise UsageError(f"input {name!r} is missing", fix=f"it takes {inputs[name]}")
    if not values:
        raise UsageError("no input is given", fix=f"the network takes {', '.join(inputs)}")
    first, known = next(iter(values.items()))
    batch = known.shape[inputs[first].shape.index(None)]
    sizes = [batch if size is None else size for size in inputs[name].shape]
    dtype = getattr(torch, BY_NAME[inputs[name].dtype].torch)
    return torch.full(sizes, name == ALLOWED, dtype=dtype, device=known.device)
