"""How far a training run had come when a file was written: by its own words, else by its name."""

import re
from collections.abc import Iterator, Mapping

NAMES = (
    "global_timestep",
    "frame_idx",
    "agent_step",
    "num_timesteps",
    "total_timesteps_trained",
    "total_timesteps",
    "timesteps",
    "global_step",
    "step",
    "iteration",
    "epoch",
)
"""Fields of training info that count up, the finest first."""
WITHIN = ("metadata", "_metadata")
"""Entries of the training info that have such fields of their own."""
_MARKED = re.compile(r"(?:ts|step|steps|iter|frame)[_-]?([0-9]{1,18})(?![0-9])", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,18}(?![0-9])", re.ASCII)


def counts(training_info: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """Yield each field that counts the training and its value, the finest first."""
    places = {"": training_info} | {f"{key}.": training_info.get(key) for key in WITHIN}
    for prefix, fields in places.items():
        for name in NAMES if isinstance(fields, Mapping) else ():
            value = fields.get(name) if isinstance(fields, Mapping) else None
            if isinstance(value, int) and not isinstance(value, bool):
                yield prefix + name, value


def step_of(training_info: Mapping[str, object]) -> int | None:
    """Return the step that training info states; None where it states none."""
    return next((value for _, value in counts(training_info) if value >= 0), None)


def step_in_name(stem: str) -> int | None:
    """Return the step in a file's name, its last number unless another is marked (`ts`, `step` …)."""
    found = _MARKED.findall(stem) or _NUMBER.findall(stem)
    return int(found[-1]) if found else None
