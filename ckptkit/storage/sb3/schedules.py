"""Schedules of learning rate, clipping and exploration, where what they compute is certain.

From 2.7 SB3 writes classes; before, closures by value, whose code is never run. A closure of SB3's
own module is known by its name. RL-Zoo's linear schedule lived in a module called `utils.utils`, a
name that anyone may use, so its bytecode has to be the product of argument and cell as well. Any
other function yields only its name and the numbers in its cells.

Sources: stable-baselines3 v1.0 to v2.9.2, `common/utils.py`; rl-baselines3-zoo v1.0 `utils/utils.py`
and v2.7.0 `rl_zoo3/utils.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.ndvalues import Number, number
from ckptkit.storage.sb3.functions import Function, function

SCHEDULES = (
    "learning_rate",
    "lr_schedule",
    "clip_range",
    "clip_range_vf",
    "exploration_schedule",
    "delta_std_schedule",
)
"""Fields of `data` that hold a number or a schedule."""

_SB3 = "stable_baselines3.common.utils"
_PRODUCT = (b"|\x00\x88\x00\x14\x00S\x00",)
"""Bytecode of `return argument * cell` in CPython 3.6 to 3.10."""
_MAX_DEPTH = 8

Observation = dict[str, object]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a schedule was seen to be.

    Attributes:
        observation: `{"schedule": "constant", "value": …}`, `{"schedule": "linear", "start": …,
            "end": …, "end_fraction": …}`, or `{"schedule": "function", "name": …, "values": {…}}`
            where only its name and the numbers that it holds are known.
        is_code: Whether the file has it as a function by value.
    """

    observation: Observation
    is_code: bool


def schedule(value: object) -> Schedule | None:
    """Return what the schedule `value` is; None where it is a number or nothing that is known."""
    observation = _observe(value, 0)
    return None if observation is None else Schedule(observation, function(value) is not None)


def _observe(value: object, depth: int) -> Observation | None:
    if not isinstance(value, Instance) or depth > _MAX_DEPTH:
        return None
    if isinstance(value.cls, ClassRef) and isinstance(value.state, Mapping):
        found = _instance(value.cls, value.state, depth)
        if found is not None:
            return found
    held = function(value)
    if held is None:
        return None
    return _known_function(held, depth) or _named_function(held)


def _instance(cls: ClassRef, state: Mapping[object, object], depth: int) -> Observation | None:
    if cls.module == _SB3 and cls.name == "FloatSchedule":
        return _observe(state.get("value_schedule"), depth + 1)
    if cls.module == _SB3 and cls.name == "ConstantSchedule":
        return _constant(state.get("val"))
    if cls.module == _SB3 and cls.name == "LinearSchedule":
        return _linear(state.get("start"), state.get("end"), state.get("end_fraction"))
    if str(cls) == "rl_zoo3.utils.SimpleLinearSchedule":
        return _linear(state.get("initial_value"), 0.0, 1.0)
    return None


def _known_function(held: Function, depth: int) -> Observation | None:
    cells = held.cells
    match held.module, held.name, tuple(sorted(cells)):
        case (module, "constant_fn.<locals>.func", ("val",)) if module == _SB3:
            return _constant(cells["val"])
        case (module, "get_linear_fn.<locals>.func", ("end", "end_fraction", "start")) if module == _SB3:
            return _linear(cells["start"], cells["end"], cells["end_fraction"])
        case (module, "get_schedule_fn.<locals>.<lambda>", ("value_schedule",)) if module == _SB3:
            return _observe(cells["value_schedule"], depth + 1)
        case (_, "linear_schedule.<locals>.func", ("initial_value",)) if _is_product(held):
            return _linear(cells["initial_value"], 0.0, 1.0)
        case _:
            return None


def _is_product(held: Function) -> bool:
    return held.module == "rl_zoo3.utils" or (held.code in _PRODUCT and not held.names)


def _named_function(held: Function) -> Observation:
    values = {
        name: held_number for name, cell in held.cells.items() if (held_number := number(cell)) is not None
    }
    return {"schedule": "function", "name": f"{held.module}.{held.name}".strip("."), "values": values}


def _constant(value: object) -> Observation | None:
    found = number(value)
    return None if found is None else {"schedule": "constant", "value": found}


def _linear(start: object, end: object, fraction: object) -> Observation | None:
    found: list[Number | None] = [number(start), number(end), number(fraction)]
    if None in found:
        return None
    return {"schedule": "linear", "start": found[0], "end": found[1], "end_fraction": found[2]}
