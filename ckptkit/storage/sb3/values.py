"""Objects of SB3's own classes that stand in `data` and say something plain.

Sources: stable-baselines3 v1.0 to v2.9.2, `common/type_aliases.py`, `common/noise.py`,
`her/goal_selection_strategy.py`.
"""

from collections.abc import Mapping

from ckptkit.model.inert import ClassRef, Instance

_ENUMS = (
    "stable_baselines3.common.type_aliases.TrainFrequencyUnit",
    "stable_baselines3.her.goal_selection_strategy.GoalSelectionStrategy",
)
_TRAIN_FREQ = "stable_baselines3.common.type_aliases.TrainFreq"
_NOISE = "stable_baselines3.common.noise"


def unwrapped(value: object) -> object:
    """Return what an object of one of SB3's small classes says; any other value as it is.

    `TrainFreq(4, "step")` becomes `{"frequency": 4, "unit": "step"}`, an enum member its value, an
    action noise `{"class": …, "state": {…}}`.
    """
    if not isinstance(value, Instance) or not isinstance(value.cls, ClassRef):
        return value
    name = str(value.cls)
    if name in _ENUMS and len(value.args) == 1:
        return value.args[0]
    if name == _TRAIN_FREQ and len(value.args) == 2:
        return {"frequency": value.args[0], "unit": unwrapped(value.args[1])}
    if value.cls.module == _NOISE and isinstance(value.state, Mapping):
        return {"class": value.cls, "state": {key: unwrapped(item) for key, item in value.state.items()}}
    return value
