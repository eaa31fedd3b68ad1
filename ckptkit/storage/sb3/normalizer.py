"""`vecnormalize.pkl`: the running statistics that observations and rewards were scaled by.

Source: stable-baselines3 v0.8.0 to v2.9.2, `common/vec_env/vec_normalize.py` (`__getstate__`) and
`common/running_mean_std.py`. `norm_obs_keys` came with 1.3; before, every key of a Dict was scaled.
Statistics are float64 and stay exact. Observations become
`clip((obs - mean) / sqrt(var + epsilon), -clip_obs, clip_obs)` as float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, Instance, NdArray
from ckptkit.model.ndvalues import number
from ckptkit.model.real import real
from ckptkit.model.source import Source
from ckptkit.model.spaces import Space, describe, observation_shapes
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.sb3.data import read_pickle

MAX_BYTES = 64 << 20
MODULE = "stable_baselines3.common.vec_env.vec_normalize"
CLASS = "VecNormalize"
_SCALARS = ("clip_obs", "clip_reward", "epsilon", "gamma")


class OtherStatisticsError(UnreadableCheckpointError):
    """A whole pickle that holds something else than SB3's own statistics."""


class _UnknownFormError(Exception):
    """The pickle is of no form that any release wrote."""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """One `VecNormalize` object as data.

    Attributes:
        entry: The preprocessing step, as `spec/manifest.md` defines it.
        spaces: The spaces that the object itself holds.
        shapes: Shape of the statistics; by key for Dict observations, else under the empty key.
    """

    entry: dict[str, object]
    spaces: dict[str, Space]
    shapes: dict[str, list[int]]


def is_normalizer(head: bytes) -> bool:
    """Whether a file that starts with `head` is a pickle whose first global is `VecNormalize`."""
    start = head[:128]
    at = start.find(MODULE.encode())
    return start[:1] == b"\x80" and 2 <= at <= 16 and CLASS.encode() in start[at + len(MODULE) :]


def read(source: Source, name: str, found: Collected) -> Normalizer | None:
    """Read a pickled `VecNormalize`.

    Args:
        source: The file.
        name: Its name in the checkpoint; becomes `source` of the entry.
        found: Gets its verdict and facts.

    Returns:
        None where the pickle is unsafe and so was not followed to an end that makes sense.

    Raises:
        UnreadableCheckpointError: It is broken.
        OtherStatisticsError: It is whole, and no `VecNormalize` of SB3.
    """
    if source.size > MAX_BYTES:
        raise LimitExceededError(f"{source.size} bytes, at most {MAX_BYTES} are read", where=source.name)
    own = Collected()
    value = read_pickle(source.read(0, source.size), name, source.name, own)
    found.absorb(own)
    try:
        return _normalizer(value, name, found)
    except (_UnknownFormError, ValueError) as error:
        if own.verdict is Verdict.UNSAFE:
            return None
        what = f"holds no {CLASS} of Stable-Baselines3: {error}"
        raise OtherStatisticsError(what, where=source.name) from error


def _normalizer(value: object, name: str, found: Collected) -> Normalizer:
    state = _attributes(value, CLASS)
    entry: dict[str, object] = {"type": CLASS, "source": name}
    for flag in ("norm_obs", "norm_reward"):
        entry[flag] = _flag(state, flag)
    for scalar in _SCALARS:
        entry[scalar] = _scalar(state, scalar)
    shapes = _observations(state, entry)
    if "ret_rms" in state:
        entry["ret_rms"] = _running(state["ret_rms"])
    spaces: dict[str, Space] = {}
    for side in ("observation", "action"):
        if f"{side}_space" in state:
            spaces[side], notes = describe(state[f"{side}_space"], f"{name}:{side}_space")
            found.notes.extend(notes)
    return Normalizer(entry, spaces, shapes)


def _attributes(value: object, cls: str) -> Mapping[object, object]:
    if not isinstance(value, Instance) or not isinstance(value.cls, ClassRef) or value.cls.name != cls:
        raise _UnknownFormError(f"a {cls} is expected")
    if not isinstance(value.state, Mapping):
        raise _UnknownFormError(f"the {cls} has no attributes")
    return value.state


def _flag(state: Mapping[object, object], name: str) -> bool:
    found = number(state.get(name))
    if not isinstance(found, bool):
        raise _UnknownFormError(f"{name} is neither true nor false")
    return found


def _scalar(state: Mapping[object, object], name: str) -> int | float:
    found = number(state.get(name))
    if found is None:
        raise _UnknownFormError(f"{name} is no number")
    return found


def _running(value: object) -> dict[str, object]:
    """Return mean, var and count of a `RunningMeanStd`; exact float64."""
    state = _attributes(value, "RunningMeanStd")
    mean, var = (_array(state.get(part), part) for part in ("mean", "var"))
    if _shape(mean) != _shape(var):
        raise _UnknownFormError("mean and var differ in shape")
    return {"mean": mean, "var": var, "count": _scalar(state, "count")}


def _array(value: object, name: str) -> NdArray | float:
    if isinstance(value, NdArray) and value.dtype[1:] in ("f8", "f4"):
        return value
    found = real(number(value))
    if found is None:
        raise _UnknownFormError(f"{name} is no array of floats")
    return found


def _shape(value: NdArray | float) -> list[int]:
    return list(value.shape) if isinstance(value, NdArray) else []


def _observations(state: Mapping[object, object], entry: dict[str, object]) -> dict[str, list[int]]:
    """Add the statistics of the observations to `entry`; return their shapes."""
    running = state.get("obs_rms")
    if running is None:
        if entry["norm_obs"]:
            raise _UnknownFormError("norm_obs is set and there are no statistics")
        return {}
    if not isinstance(running, Mapping):
        statistics = _running(running)
        entry.update(statistics)
        mean = statistics["mean"]
        return {"": _shape(mean) if isinstance(mean, NdArray | float) else []}
    by_key = {str(key): _running(value) for key, value in running.items()}
    for part in ("mean", "var", "count"):
        entry[part] = {key: statistics[part] for key, statistics in by_key.items()}
    keys = state.get("norm_obs_keys")
    entry["norm_obs_keys"] = [str(key) for key in keys] if isinstance(keys, list | tuple) else list(by_key)
    return {key: _shape(mean) for key, s in by_key.items() if isinstance(mean := s["mean"], NdArray | float)}


def fits(normalizer: Normalizer, space: Mapping[str, object]) -> str:
    """Return why the statistics cannot be those of observations from `space`; empty where they can."""
    shapes = observation_shapes(space)
    for key, shape in normalizer.shapes.items():
        expected = shapes.get(key)
        if expected != shape:
            what = f"key {key!r} of " if key else ""
            stated = "none" if expected is None else str(expected)
            return f"statistics of shape {shape}, {what}the observation space has shape {stated}"
    return ""
