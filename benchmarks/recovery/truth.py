"""Whether a value that ckptkit gives is the true one, or one of a set that it gives."""

import math
import struct
from collections.abc import Mapping, Sequence


def equal(said: object, true: object) -> bool:
    """Whether two values are the same: lists and tuples alike, floats as float32 holds them.

    Layers are compared by their type and the attributes that both give.
    """
    if isinstance(said, bool) or isinstance(true, bool):
        return said is true
    if isinstance(said, int | float) and isinstance(true, int | float):
        return said == true or single(said) == single(true)
    if isinstance(said, list | tuple) and isinstance(true, list | tuple):
        return len(said) == len(true) and all(equal(a, b) for a, b in zip(said, true, strict=True))
    if isinstance(said, Mapping) and isinstance(true, Mapping):
        if not counted(said, true):
            return False
        return said.get("type") == true.get("type") and all(
            equal(said[name], true[name]) for name in said.keys() & true.keys()
        )
    return said == true


def counted(said: Mapping[str, object], true: Mapping[str, object]) -> bool:
    """Whether what a set gives as a sum or product alone is that of the true sizes."""
    sums = said.get("sum") in (None, sum(true.get("nvec", ())))
    return sums and said.get("product") in (None, math.prod(true.get("shape", ())))


def single(number: float) -> float:
    """Return a number as float32 holds it."""
    return struct.unpack("<f", struct.pack("<f", number))[0]


def among(true: object, candidates: Sequence[object]) -> bool:
    """Whether a value is one of the candidates, or within one that is a run."""
    return any(equal(one, true) or (isinstance(one, Mapping) and inside(true, one)) for one in candidates)


def inside(true: object, run: Mapping[str, object]) -> bool:
    """Whether a value lies in a run: of images by their sides, or of numbers by their ends."""
    if "height" in run and isinstance(true, list | tuple) and len(true) == 3:
        sides = (run["height"], run["width"])
        fits = [low <= size <= high for size, (low, high) in zip(true[1:], sides, strict=True)]
        return true[0] == run.get("channels", true[0]) and all(fits)
    if run.keys() == {"product"} and isinstance(true, list | tuple):
        return math.prod(true) == run["product"]
    if not isinstance(true, int | float) or not {"below", "above", "at_least"} & run.keys():
        return False
    low = true > run["above"] if "above" in run else true >= run.get("at_least", true)
    return low and true < run.get("below", float("inf"))
