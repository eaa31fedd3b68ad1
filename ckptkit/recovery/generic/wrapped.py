"""Modules whose weight is computed from other tensors: weight norm, spectral norm, pruning.

Source: torch 2.13, `torch/nn/utils/{weight_norm,spectral_norm,parametrizations,prune}.py`.
"""

import math
from collections.abc import Mapping

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.generic.plain import plain
from ckptkit.recovery.generic.reading import Context, Module, usual

NEW = "parametrizations.weight."
Shape = tuple[int, ...]


def wrapped(path: str, leaves: Mapping[str, Tensor], context: Context) -> list[Module]:
    """Return every module whose parametrised weight has exactly these tensors."""
    if not usual(leaves):
        return []
    rest = {name: tensor for name, tensor in leaves.items() if name != "bias"}
    found = _weight_norm(rest) or _spectral_norm(rest) or _pruned(rest)
    if found is None:
        return []
    word, shape = found
    bias = leaves["bias"].shape if "bias" in leaves else None
    return [{**one, "parametrization": word} for one in plain(path, shape, bias, context)]


def _weight_norm(leaves: Mapping[str, Tensor]) -> tuple[str, Shape] | None:
    for size, direction in (("weight_g", "weight_v"), (f"{NEW}original0", f"{NEW}original1")):
        if leaves.keys() == {size, direction}:
            norm, shape = leaves[size].shape, leaves[direction].shape
            along = [
                tuple(n if at == axis else 1 for at, n in enumerate(shape)) for axis in range(len(shape))
            ]
            return ("weight_norm", shape) if norm in (*along, ()) else None
    return None


def _spectral_norm(leaves: Mapping[str, Tensor]) -> tuple[str, Shape] | None:
    old = ("weight_orig", "weight_u", "weight_v")
    new = (f"{NEW}original", f"{NEW}0._u", f"{NEW}0._v")
    for weight, left, right in (old, new):
        if leaves.keys() in ({weight, left, right}, {weight, left}):
            shape = leaves[weight].shape
            sides = [leaves[side].shape for side in (left, right) if side in leaves]
            fits = all(len(side) == 1 for side in sides) and any(
                [side[0] for side in sides] == [n, math.prod(shape) // n][: len(sides)] for n in shape
            )
            return ("spectral_norm", shape) if fits else None
    return None


def _pruned(leaves: Mapping[str, Tensor]) -> tuple[str, Shape] | None:
    if leaves.keys() != {"weight_orig", "weight_mask"}:
        return None
    shape = leaves["weight_orig"].shape
    return ("prune", shape) if leaves["weight_mask"].shape == shape else None
