"""Schedules, train frequency and action noise as objects of today's SB3, from what was seen of them.

Source: stable-baselines3 v2.9.2, `common/utils.py`, `common/type_aliases.py`, `common/noise.py`.
"""

from collections.abc import Mapping

from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.model.real import real
from ckptkit.writers.sb3.changes import Changes
from ckptkit.writers.sb3.object_pickle import Made

_UTILS = "stable_baselines3.common.utils"
_TYPES = "stable_baselines3.common.type_aliases"
_NOISE = "stable_baselines3.common.noise"
_NOISES = ("NormalActionNoise", "OrnsteinUhlenbeckActionNoise")


def _object(module: str, name: str, **state: object) -> Made:
    return Made(ClassRef(module, name), (), state)


def constant(value: float) -> Made:
    """Return the schedule that is `value` all the time."""
    held = _object(_UTILS, "ConstantSchedule", val=float(value))
    return _object(_UTILS, "FloatSchedule", value_schedule=held)


def linear(start: object, end: object, fraction: object) -> Made:
    """Return the schedule from `start` to `end` over the first `fraction` of training."""
    return _object(_UTILS, "LinearSchedule", start=start, end=end, end_fraction=fraction)


def number_of(value: object) -> float | int | None:
    """Return a plain number, or the number of a constant schedule; None for anything else."""
    if isinstance(value, Mapping) and value.get("schedule") == "constant":
        value = value.get("value")
    return value if isinstance(value, int | float) and real(value) is not None else None


def schedule(name: str, value: object, instead: float, why: str, changes: Changes) -> float | Made:
    """Return a field that SB3 lets be a number or a schedule.

    Args:
        name: Of the field.
        value: A number, or an observation as `storage.sb3.schedules` makes it.
        instead: The number to take where what the schedule computes is not known.
        why: Where that number is from.
        changes: Gets what was done.

    Returns:
        A number for a constant; SB3's `LinearSchedule` for a linear one, which loses nothing.
    """
    plain = number_of(value)
    if plain is not None:
        if isinstance(value, Mapping) and name == "learning_rate":
            changes.change(f"{name}: a constant schedule, written as the number {plain}")
        return plain
    match value:
        case {"schedule": "linear", "start": start, "end": end, "end_fraction": fraction}:
            changes.change(f"{name}: written as SB3's LinearSchedule from {start} to {end}")
            return linear(start, end, fraction)
        case {"schedule": "function", "name": str(function)}:
            said = f"the function {function}, whose code is not kept"
        case _:
            said = "nothing that is understood"
    changes.drop(f"data:{name}", f"{said}: the constant {instead} is taken ({why})")
    return instead


def as_float_schedule(value: float | Made) -> Made:
    """Return a number or schedule wrapped as SB3 holds it."""
    if isinstance(value, Made):
        return _object(_UTILS, "FloatSchedule", value_schedule=value)
    return constant(value)


def train_freq(value: object, episodes: object, changes: Changes) -> Made:
    """Return a `TrainFreq` from any form that releases gave it.

    Args:
        value: A number of steps, `[number, unit]`, or `{"frequency": …, "unit": …}`. Releases before
            0.10 wrote a number below 1 where episodes count.
        episodes: The field `n_episodes_rollout` of those releases.
        changes: Gets what could not be taken over.
    """
    frequency: object = value
    unit: object = "step"
    match value:
        case {"frequency": frequency, "unit": unit}:
            pass
        case [frequency, unit]:
            pass
        case int() if value < 1:
            frequency, unit = episodes if isinstance(episodes, int) and episodes > 0 else 1, "episode"
            changes.change(f"train_freq: {frequency} episode(s), from n_episodes_rollout")
    if not isinstance(frequency, int) or unit not in ("step", "episode"):
        changes.drop("data:train_freq", "not understood: 1 step is taken")
        frequency, unit = 1, "step"
    member = Made(ClassRef(_TYPES, "TrainFrequencyUnit"), (unit,), call=True)
    return Made(ClassRef(_TYPES, "TrainFreq"), (frequency, member))


def _is_plain(value: object) -> bool:
    """Whether a value is one that SB3's noises hold: numbers, arrays and an element type."""
    number = value is None or isinstance(value, int | float | NdArray)
    return number or (isinstance(value, ClassRef) and value.module == "numpy")


def action_noise(value: object, changes: Changes) -> Made | None:
    """Return the action noise, or None where there is none or it is none of SB3's plain ones."""
    if value is None:
        return None
    match value:
        case {"class": ClassRef(module=module, name=name), "state": Mapping() as state} if module == _NOISE:
            if name in _NOISES and all(map(_is_plain, state.values())):
                held = {str(key): item for key, item in state.items()}
                if "_dtype" not in held:
                    held["_dtype"] = ClassRef("numpy", "float32")
                return Made(ClassRef(_NOISE, name), (), held)
    changes.drop("data:action_noise", "not one of SB3's own noises for one environment: none is written")
    return None
