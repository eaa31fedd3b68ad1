"""The part of the allow-list for spaces and Stable-Baselines3: classes by name, and their instances.

Source: gym 0.17 to 0.26, gymnasium 0.26 to 1.4, stable-baselines3 and sb3-contrib 0.8 to 2.9.
"""
# ruff: noqa: ARG001 - every rule has the same signature

import re

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.storage.pickles.machine import Entry, Machine, Refuse
from ckptkit.storage.pickles.rules import BARE, MEMBER, REFERENCE, words


def _train_freq(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`TrainFreq(frequency, unit)`, a named tuple."""
    if len(args) != 2 or not isinstance(args[0], int) or not isinstance(args[1], Instance):
        raise Refuse("gets something else than a number and a unit")
    return Instance(ref, args)


def _samples(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """A named tuple of arrays or tensors."""
    if any(isinstance(arg, ClassRef) for arg in args):
        raise Refuse("gets a class or function as an element")
    return Instance(ref, args)


def _generator(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`RandomNumberGenerator._generator_ctor("PCG64")` of gym 0.22 to 0.25."""
    if len(args) > 1 or not all(isinstance(arg, str) for arg in args):
        raise Refuse("gets something that is no bit generator's name")
    return Instance(ref, args)


_SAMPLES = Entry("named tuple, described", call=_samples, new=_samples)
_TUPLES = words(
    "RolloutBufferSamples DictRolloutBufferSamples ReplayBufferSamples DictReplayBufferSamples "
    "RolloutReturn RNNStates RecurrentRolloutBufferSamples RecurrentDictRolloutBufferSamples "
    "MaskableRolloutBufferSamples MaskableDictRolloutBufferSamples"
)
_TUPLE_MODULES = (
    "stable_baselines3.common.type_aliases",
    "sb3_contrib.common.recurrent.type_aliases",
    "sb3_contrib.common.maskable.buffers",
)

ALLOWED: dict[tuple[str, str], Entry] = {
    ("stable_baselines3.common.type_aliases", "TrainFreq"): Entry(
        "named tuple, described", call=_train_freq, new=_train_freq
    ),
    ("stable_baselines3.common.type_aliases", "TrainFrequencyUnit"): MEMBER,
    ("stable_baselines3.her.goal_selection_strategy", "GoalSelectionStrategy"): MEMBER,
    **{(module, name): _SAMPLES for module in _TUPLE_MODULES for name in _TUPLES},
    **{
        (f"{lib}.utils.seeding", name): entry
        for lib in ("gym", "gymnasium")
        for name, entry in (
            ("RandomNumberGenerator._generator_ctor", Entry("random state, described", call=_generator)),
            ("RandomNumberGenerator", REFERENCE),
        )
    },
}
"""What these libraries' globals may do, by canonical module and name."""

_SPACES = re.compile(r"(gym|gymnasium)\.spaces(\.[a-z_]+)?")
_LIBRARIES = re.compile(r"(stable_baselines3|sb3_contrib)(\.[a-z_0-9]+)*")
_UNPICKLES = ("CloudpickleWrapper",)
"""Classes whose own `__setstate__` unpickles what it is given."""


def static_method(module: str, name: str) -> bool:
    """Whether a name is a method of a class of Stable-Baselines3, such as `BasePolicy._dummy_schedule`."""
    owner, _, method = name.partition(".")
    known = _LIBRARIES.fullmatch(module) is not None and owner.isidentifier() and owner[:1].isupper()
    return known and owner not in _UNPICKLES and method.isidentifier() and not method.startswith("__")


def rl_family(module: str, name: str) -> Entry | None:
    """Return what a class of a space library or of Stable-Baselines3 may do."""
    if name in _UNPICKLES:
        return Entry("unpickles its own state", allowed=False)
    if _SPACES.fullmatch(module) and name[:1].isupper():
        return BARE
    if _LIBRARIES.fullmatch(module):
        return BARE if name.lstrip("_")[:1].isupper() else REFERENCE
    return None
