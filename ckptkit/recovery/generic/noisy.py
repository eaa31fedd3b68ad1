"""Noisy layers (arXiv:1706.10295) in the spellings of the field.

`weight_mu`, `mu_weight`, `mu_w` and plain `weight` are the mean, with `sigma` in place of `mu` the
spread, `epsilon`, `eps` or `noise` the last draw, kept whole or as the factors of input and output.
"""

import re
from collections.abc import Mapping

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.generic.reading import Module, module, usual

SORTS = {"mu": "mu", "sigma": "sigma", "epsilon": "epsilon", "eps": "epsilon", "noise": "epsilon"}
PLACES = {
    "weight": "weight",
    "w": "weight",
    "bias": "bias",
    "b": "bias",
    "input": "input",
    "in": "input",
    "i": "input",
    "p": "input",
    "output": "output",
    "out": "output",
    "j": "output",
    "q": "output",
}
Role = tuple[str, str]
Shape = tuple[int, ...]


def roles(leaves: Mapping[str, Tensor]) -> dict[Role, str] | None:
    """Return which tensor has which part in a noisy layer; None where these are not those of one."""
    found: dict[Role, str] = {}
    for name in leaves:
        role = _role(name)
        if role is None or role in found:
            return None
        found[role] = name
    needed = {("mu", "weight"), ("sigma", "weight")}
    both = (("mu", "bias") in found) == (("sigma", "bias") in found)
    return found if found.keys() >= needed and both else None


def _role(name: str) -> Role | None:
    words = [word for word in re.split(r"_+", name.lower()) if word]
    if words in (["weight"], ["bias"]):
        return "mu", words[0]
    if len(words) != 2:
        return None
    for sort, place in (words, words[::-1]):
        if sort in SORTS and place in PLACES:
            kept = SORTS[sort] == "epsilon" or PLACES[place] in ("weight", "bias")
            return (SORTS[sort], PLACES[place]) if kept else None
    return None


def noisy(leaves: Mapping[str, Tensor]) -> list[Module]:
    """Return every noisy layer with exactly these tensors."""
    parts = roles(leaves)
    if parts is None or not usual(leaves):
        return []
    own = {role: leaves[name].shape for role, name in parts.items()}
    shape, bias = own["mu", "weight"], own.get(("mu", "bias"))
    if len(shape) != 2 or own["sigma", "weight"] != shape or own.get(("sigma", "bias")) != bias:
        return []
    usual_way = bias is None or bias == shape[:1]
    if not usual_way and bias != shape[1:]:
        return []
    rows, columns = shape if usual_way else shape[::-1]
    draws = {place: shape for (sort, place), shape in own.items() if sort == "epsilon"}
    noise = _noise(draws, shape, rows, columns)
    sizes: dict[str, object] = {"in_features": columns, "out_features": rows, "bias": bias is not None}
    ways: list[dict[str, object]] = [{}] if usual_way else [{"transposed": True}]
    if bias is None:
        ways.append({"transposed": True, "in_features": rows, "out_features": columns})
    return [module("NoisyLinear", **{**sizes, **way}, noise=one) for way in ways for one in noise]


def _noise(draws: Mapping[str, Shape], shape: Shape, rows: int, columns: int) -> list[str]:
    """Return how noise may be kept: as factors, as their product, or either where no draw was saved."""
    if draws in ({}, {"bias": (rows,)}):
        return ["factors", "product"]
    if draws.keys() & {"weight"}:
        wanted: dict[str, set[Shape]] = {"weight": {shape}, "bias": {(rows,)}}
        kind = "product"
    else:
        wanted = {"input": _vectors(columns), "output": _vectors(rows), "bias": {(rows,)}}
        kind = "factors"
    fits = all(shape in wanted.get(place, ()) for place, shape in draws.items())
    return [kind] if fits else []


def _vectors(size: int) -> set[Shape]:
    return {(size,), (1, size), (size, 1)}
