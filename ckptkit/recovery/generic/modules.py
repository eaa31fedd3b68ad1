"""Which module each group of tensors is: every kind that its names and shapes allow."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ckptkit.model.recovered import Status
from ckptkit.recovery.generic import norms
from ckptkit.recovery.generic.attention import attention
from ckptkit.recovery.generic.grouping import ATTENTION, PARAMETRIZED, Group
from ckptkit.recovery.generic.noisy import noisy, roles
from ckptkit.recovery.generic.plain import plain
from ckptkit.recovery.generic.reading import Context, Module, Reading, module, usual
from ckptkit.recovery.generic.recurrent import recurrent
from ckptkit.recovery.generic.wrapped import wrapped

MOST_CANDIDATES = 20_000
"""Candidates of all modules of a file beside the first of each; modules beyond them stay unknown."""
WEIGHTS = ("weight", "weight_mu", "weight_v", "weight_orig")
BACKWARDS = re.compile("deconv|decod|transp|upconv|upsample|unconv|convt", re.IGNORECASE)
"""Parts of names that transposed convolutions go by; they rank, and prove nothing."""
PLAIN = frozenset({"weight", "bias"})
OF_WRAPPERS = frozenset({"weight_g", "weight_v", "weight_orig"})
USUAL = PLAIN | norms.RUNNING | OF_WRAPPERS
"""Names below a module that say what it is; a tensor of another name is a Parameter of its own."""


@dataclass(slots=True)
class _Budget:
    left: int = MOST_CANDIDATES

    def take(self, count: int) -> bool:
        self.left -= count - 1
        return self.left >= 0


def read(groups: Sequence[Group]) -> list[Reading]:
    """Return what each group is, with a reading for each tensor that belongs to no known module."""
    backwards, products = _clues(groups)
    found: list[Reading] = []
    budget, before = _Budget(), Context(transposed_products=products)
    for group in groups:
        turned = BACKWARDS.search(group.path) is not None or _parent(group) in backwards
        context = replace(before, backwards=True) if turned else before
        found.extend(_readings(group, context, budget))
        before = _behind(found[-1], before)
    return found


def _clues(groups: Sequence[Group]) -> tuple[set[str], bool]:
    """Return beside what a convolution is transposed, and whether a matrix is, as only their biases tell."""
    backwards, products = set(), False
    for group in groups:
        weight, bias = group.leaves.get("weight"), group.leaves.get("bias")
        if weight is None or bias is None or len(bias.shape) != 1 or bias.shape == weight.shape[:1]:
            continue
        if len(weight.shape) in (3, 4, 5):
            backwards.add(_parent(group))
        products = products or (len(weight.shape) == 2 and bias.shape == weight.shape[1:])
    return backwards - {""}, products


def _parent(group: Group) -> str:
    return group.path.rpartition(".")[0]


def _behind(reading: Reading, before: Context) -> Context:
    for name in WEIGHTS:
        tensor = reading.group.leaves.get(name)
        if tensor is not None and len(tensor.shape) > 1:
            value = reading.value or {}
            width = value.get("out_channels", value.get("out_features", tensor.shape[0]))
            return replace(before, rank=len(tensor.shape), width=int(str(width)))
    return before


def _readings(group: Group, context: Context, budget: _Budget) -> Iterator[Reading]:
    found = _candidates(group, context) if budget.left > 0 else []
    own = [name for name in group.leaves if _is_own(name)]
    if found:
        yield _reading(group, found, budget)
        return
    if len(own) < len(group.leaves):
        rest = {name: tensor for name, tensor in group.leaves.items() if name not in own}
        inner = Group(group.path, rest)
        guesses = _candidates(inner, context) if budget.left > 0 else []
        budget.take(len(guesses))
        yield Reading(inner, tuple(guesses), Status.UNKNOWN, tuple(rest))
    for name in own:
        yield _parameter(group, name)


def _is_own(name: str) -> bool:
    """Whether a name says of itself no kind of module."""
    return name not in USUAL and "." not in name and not name.startswith(("weight_", "bias_", "in_proj_"))


def _reading(group: Group, found: list[Module], budget: _Budget) -> Reading:
    if not budget.take(len(found)):
        return Reading(group, (), Status.UNKNOWN, tuple(group.leaves))
    foreign = all(one.get("transposed") for one in found)
    if foreign:
        return Reading(group, tuple(found), Status.UNKNOWN, tuple(group.leaves))
    return Reading(group, tuple(found), Status.PROVEN if len(found) == 1 else Status.CONSTRAINED)


def _parameter(group: Group, name: str) -> Reading:
    tensor = group.leaves[name]
    found = module("Parameter", shape=list(tensor.shape), dtype=tensor.dtype.name)
    return Reading(Group(group.name(name), {"": tensor}), (found,), Status.PROVEN)


def _candidates(group: Group, context: Context) -> list[Module]:
    leaves, names = group.leaves, group.leaves.keys()
    if names <= PLAIN and "weight" in names and usual(leaves):
        bias = leaves["bias"].shape if "bias" in leaves else None
        return plain(group.path, leaves["weight"].shape, bias, context)
    if norms.STATISTICS <= names <= norms.RUNNING:
        return norms.running(leaves, context)
    if {"ra_mean", "ra_var"} <= names <= norms.RENORM:
        return norms.renorm(leaves)
    if names & ATTENTION:
        return attention(leaves)
    if names & {"weight_hh", "weight_hh_l0"}:
        return recurrent(leaves)
    if any(name.startswith(PARAMETRIZED) for name in names) or names & OF_WRAPPERS:
        return wrapped(group.path, leaves, context)
    return noisy(leaves) if roles(leaves) else []
