"""`vecnormalize.pkl` as today's `VecNormalize.load` reads it, from the preprocessing step.

Source: stable-baselines3 v2.9.2, `common/vec_env/vec_normalize.py` (`__getstate__`, `__setstate__`,
`set_venv`) and `common/running_mean_std.py`.
"""

from collections.abc import Mapping

from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.writers.sb3 import spaces
from ckptkit.writers.sb3.object_pickle import Made, checked, scalar

NAME = "vecnormalize.pkl"
TYPE = "VecNormalize"
_SCALARS = ("clip_obs", "clip_reward", "gamma", "epsilon", "norm_obs", "norm_reward")


def pickle(step: Mapping[str, object], described: Mapping[str, object]) -> bytes:
    """Return the pickle of a `VecNormalize` whose environment is still to be set.

    Args:
        step: A preprocessing step of type `VecNormalize`, as `spec/manifest.md` defines it.
        described: Both spaces, in plain form.

    Raises:
        NotExportableError: A space has no form in gymnasium.
    """
    state: dict[str, object] = {name: step[name] for name in _SCALARS}
    state["norm_obs_keys"] = step.get("norm_obs_keys")
    state["training"] = True
    state |= {"num_envs": 1, "render_mode": None, "metadata": {"render_modes": []}}
    state |= {"reset_infos": [{}], "_seeds": [None], "_options": [{}]}
    state["observation_space"] = spaces.space(described.get("observation"), "observation space")
    state["action_space"] = spaces.space(described.get("action"), "action space")
    state["old_reward"] = NdArray("<f8", (0,), b"")
    state["ret_rms"] = _running(step.get("ret_rms", {}))
    if "mean" in step:
        state["obs_rms"] = _observations(step)
    if isinstance(step.get("mean"), Mapping):
        inner = state["observation_space"]
        held = inner.state if isinstance(inner, Made) else None
        state["obs_spaces"] = held["spaces"] if isinstance(held, Mapping) else {}
    made = Made(ClassRef("stable_baselines3.common.vec_env.vec_normalize", TYPE), (), state)
    return checked(made, NAME)


def _observations(step: Mapping[str, object]) -> object:
    parts = ("mean", "var", "count")
    mean = step["mean"]
    if not isinstance(mean, Mapping):
        return _running(step)
    held = {part: values for part in parts if isinstance(values := step[part], Mapping)}
    return {key: _running({part: held[part][key] for part in parts}) for key in mean}


def _running(statistics: object) -> Made:
    given = statistics if isinstance(statistics, Mapping) else {}
    state = {
        "mean": _float64(given.get("mean", 0.0)),
        "var": _float64(given.get("var", 1.0)),
        "count": given.get("count", 1e-4),
    }
    return Made(ClassRef("stable_baselines3.common.running_mean_std", "RunningMeanStd"), (), state)


def _float64(value: object) -> NdArray | Made:
    """Return an array of its own, or numpy's scalar where the source has one number."""
    import numpy as np

    if isinstance(value, NdArray):
        return value
    return scalar("<f8", np.array(value, "<f8").tobytes())
