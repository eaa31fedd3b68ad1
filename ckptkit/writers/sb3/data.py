"""The `data` member: every field of today's SB3, from what the source says of each."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.inert import ClassRef
from ckptkit.writers.sb3 import fields, schedules, spaces
from ckptkit.writers.sb3.changes import Changes
from ckptkit.writers.sb3.object_pickle import Made, checked

_BUFFERS = {
    "stable_baselines3.common.buffers": (
        "ReplayBuffer",
        "DictReplayBuffer",
        "NStepReplayBuffer",
        "RolloutBuffer",
        "DictRolloutBuffer",
    ),
    "sb3_contrib.common.maskable.buffers": ("MaskableRolloutBuffer", "MaskableDictRolloutBuffer"),
}
SERIALIZED = ":serialized:"
_SPACES = {"observation_space": "observation", "action_space": "action"}


@dataclass(slots=True)
class Source:
    """What the fields are made from.

    Attributes:
        algorithm: Name of the algorithm's class.
        said: Fields that the source has.
        spaces: Both spaces in plain form.
        policy_kwargs: Ready to be written.
        policy_class: Likewise.
        learning_rates: What the optimizers' state says, by group.
        changes: Gets what is done.
        made: Fields so far.
    """

    algorithm: str
    said: Mapping[str, object]
    spaces: Mapping[str, object]
    policy_class: ClassRef
    policy_kwargs: Mapping[str, object]
    learning_rates: tuple[float, ...]
    changes: Changes
    made: dict[str, object] = field(default_factory=dict)


def said(checkpoint: Checkpoint) -> dict[str, object]:
    """Return the fields of `data` that a checkpoint carries, wherever it keeps them."""
    info = checkpoint.training_info
    given = info.get("data")
    found = dict(given) if isinstance(given, Mapping) else {}
    for place in (info, checkpoint.model_config):
        found |= {key: place[key] for key in ("num_timesteps", "use_sde", "n_quantiles") if key in place}
    return {str(key): value for key, value in found.items()}


def build(source: Source) -> dict[str, object]:
    """Return all fields, in the order in which they are written."""
    source.made = {"policy_class": source.policy_class, "policy_kwargs": dict(source.policy_kwargs)}
    for key, side in _SPACES.items():
        source.made[key] = spaces.space(source.spaces.get(side), f"{side} space")
    absent = []
    for name, default in fields.defaults(source.algorithm).items():
        if name not in source.said and _FORMS.get(name) is not _environment:
            absent.append(name)
        source.made[name] = _field(source, name, source.said.get(name, default))
    if absent:
        line = f"{', '.join(absent)}: not in the source, defaults of SB3 {fields.VERSION}"
        source.changes.assumed.append(line)
    _computed(source)
    _others(source)
    return source.made


def _field(source: Source, name: str, value: object) -> object:
    form = _FORMS.get(name)
    return value if form is None else form(source, name, value)


def _schedule(source: Source, name: str, value: object) -> object:
    if value is None and name == "clip_range_vf":
        return None
    instead, why = _instead(source, name, value)
    made = schedules.schedule(name, value, instead, why, source.changes)
    return made if name == "learning_rate" else schedules.as_float_schedule(made)


def _instead(source: Source, name: str, value: object) -> tuple[float, str]:
    """Return the number to take for a schedule that is not known, and where it is from."""
    if name == "learning_rate" and source.learning_rates:
        return source.learning_rates[0], "what the optimizer last used"
    held = value.get("values") if isinstance(value, Mapping) else None
    numbers = (
        [item for item in held.values() if schedules.number_of(item)] if isinstance(held, Mapping) else []
    )
    if len(numbers) == 1:
        return float(numbers[0]), "the one number that the function holds"
    default = fields.defaults(source.algorithm).get(name)
    return (float(default) if isinstance(default, int | float) else 0.2), f"default of SB3 {fields.VERSION}"


def _train_freq(source: Source, name: str, value: object) -> object:
    del name
    return schedules.train_freq(value, source.said.get("n_episodes_rollout"), source.changes)


def _noise(source: Source, name: str, value: object) -> object:
    del name
    return schedules.action_noise(value, source.changes)


def _buffer_class(source: Source, name: str, value: object) -> object:
    if value is None or (isinstance(value, ClassRef) and value.name in _BUFFERS.get(value.module, ())):
        return value
    source.changes.drop(f"data:{name}", f"{value}: SB3 chooses a buffer for the observation space")
    return None


def _buffer_kwargs(source: Source, name: str, value: object) -> object:
    cls = source.made.get(name.replace("_kwargs", "_class"))
    if not value or (cls is not None and isinstance(value, Mapping)):
        return value or {}
    source.changes.drop(f"data:{name}", "arguments of a buffer that is not written")
    return {}


def _episodes(source: Source, name: str, value: object) -> object:
    del name
    if not isinstance(value, list | tuple):
        return None
    window = source.said.get("_stats_window_size", 100)
    return Made(ClassRef("collections", "deque"), ([], window), None, tuple(value), call=True)


def _target_entropy(source: Source, name: str, value: object) -> object:
    """Return a number: to work "auto" out, SB3 would need an environment to load."""
    del name
    return -float(spaces.size(source.spaces.get("action"))) if value == "auto" else value


def _environment(source: Source, name: str, value: object) -> object:
    """Return None: the state of an environment is no part of an agent."""
    del source, name, value
    return None


_FORMS: dict[str, Callable[[Source, str, object], object]] = {
    "learning_rate": _schedule,
    "clip_range": _schedule,
    "clip_range_vf": _schedule,
    "delta_std_schedule": _schedule,
    "train_freq": _train_freq,
    "action_noise": _noise,
    "replay_buffer_class": _buffer_class,
    "rollout_buffer_class": _buffer_class,
    "replay_buffer_kwargs": _buffer_kwargs,
    "rollout_buffer_kwargs": _buffer_kwargs,
    "ep_info_buffer": _episodes,
    "ep_success_buffer": _episodes,
    "target_entropy": _target_entropy,
    "_last_obs": _environment,
    "_last_original_obs": _environment,
    "_last_episode_starts": _environment,
}


def _computed(source: Source) -> None:
    """Add what SB3 computes when it loads and other tools read: the schedules."""
    rate = source.made["learning_rate"]
    if isinstance(rate, int | float | Made):
        source.made["lr_schedule"] = schedules.as_float_schedule(rate)
    if "exploration_fraction" in source.made:
        parts = ("exploration_initial_eps", "exploration_final_eps", "exploration_fraction")
        source.made["exploration_schedule"] = schedules.linear(*(source.made[part] for part in parts))


def _others(source: Source) -> None:
    """Take over the fields that are none of SB3's, where they are plain; record the rest."""
    for name, value in source.said.items():
        if name in source.made or name in fields.COMPUTED:
            continue
        if name in fields.REMOVED:
            source.changes.drop(f"data:{name}", fields.REMOVED[name])
        elif name in fields.RESERVED or not _is_json(value):
            source.changes.drop(f"data:{name}", "no hyper-parameter of today's SB3")
        else:
            source.made[name] = value


def _is_json(value: object) -> bool:
    """Whether JSON gives the value back as it is."""
    match value:
        case None | bool() | int() | float() | str():
            return True
        case list():
            return all(_is_json(item) for item in value)
        case Mapping():
            return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
        case _:
            return False


def render(made: Mapping[str, object]) -> bytes:
    """Return the member's bytes: what JSON holds as it is, everything else as base64 of a pickle.

    Raises:
        NotExportableError: A field holds something that no pickle of ours may make or name.
    """
    document = {name: value if _stands(value) else _cell(name, value) for name, value in made.items()}
    return json.dumps(document, indent=4).encode()


def _stands(value: object) -> bool:
    """Whether a field is written as it is: JSON that SB3 does not take for a cell and unpickle."""
    return _is_json(value) and not (isinstance(value, Mapping) and SERIALIZED in value)


def _cell(name: str, value: object) -> dict[str, str]:
    data = checked(value, f"data:{name}")
    return {":type:": _type_of(value), SERIALIZED: base64.b64encode(data).decode()}


def _type_of(value: object) -> str:
    """Return what SB3 would show of the value's type; it reads this nowhere."""
    match value:
        case ClassRef():
            return "<class 'abc.ABCMeta'>"
        case Made():
            return f"<class '{value.cls}'>"
        case _:
            return f"<class '{type(value).__name__}'>"
