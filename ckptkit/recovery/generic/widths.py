"""How many features or channels a module takes and gives."""

from collections.abc import Sequence

from ckptkit.recovery.generic.reading import Module, Reading

TAKES = ("in_features", "in_channels", "input_size", "embed_dim")
GIVES = ("out_features", "out_channels", "embed_dim", "embedding_dim")
KEEPS = ("num_features", "num_channels")


def takes(value: Module) -> int | None:
    """Return the features or channels of what a module takes; None where it takes anything else."""
    return _first(value, TAKES) or _first(value, KEEPS) or _normalized(value)


def gives(value: Module) -> int | None:
    """Return the features or channels of what a module gives; None where it keeps no such thing."""
    hidden = _first(value, ("proj_size",)) or _first(value, ("hidden_size",))
    if hidden:
        return hidden * (2 if value.get("bidirectional") else 1)
    return _first(value, GIVES) or _first(value, KEEPS) or _normalized(value)


def products(readings: Sequence[Reading]) -> list[Reading]:
    """Return the modules that take one width and give another: no normalisations, no bare tensors."""
    return [one for one in readings if one.value and _first(one.value, TAKES) and gives(one.value)]


def _first(value: Module, names: Sequence[str]) -> int | None:
    for name in names:
        size = value.get(name)
        if isinstance(size, int) and size:
            return size
    return None


def _normalized(value: Module) -> int | None:
    shape = value.get("normalized_shape")
    return int(shape[-1]) if isinstance(shape, list) else None
