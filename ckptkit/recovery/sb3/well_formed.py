"""Whether a space is stated in full: a bundle's own words can be anything that JSON can hold."""

import math
from collections.abc import Mapping


def well_formed(space: object) -> bool:
    """Whether `space` is a whole Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of such."""
    match space:
        case {"type": "Box", "shape": shape, "dtype": str(), "low": low, "high": high}:
            return _sizes(shape) and _bound(low, shape) and _bound(high, shape)
        case {"type": "Discrete", "n": n}:
            return _count(n)
        case {"type": "MultiDiscrete", "nvec": list(nvec)}:
            return len(nvec) > 0 and all(map(_count, nvec))
        case {"type": "MultiBinary", "shape": shape}:
            return _sizes(shape)
        case {"type": "Dict", "spaces": list(parts)}:
            return len(parts) > 0 and all(map(_part, parts))
        case _:
            return False


def _part(part: object) -> bool:
    """Whether a part of a Dict is named and no Dict itself, which no policy takes."""
    if not isinstance(part, Mapping) or not isinstance(part.get("key"), str) or not part["key"]:
        return False
    inner = part.get("space")
    return isinstance(inner, Mapping) and inner.get("type") != "Dict" and well_formed(inner)


def _count(value: object) -> bool:
    return type(value) is int and value >= 1


def _sizes(shape: object) -> bool:
    return isinstance(shape, list) and len(shape) > 0 and all(map(_count, shape))


def _bound(bound: object, shape: list[int]) -> bool:
    if isinstance(bound, list):
        return len(bound) == math.prod(shape) and all(map(_number, bound))
    return _number(bound)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
