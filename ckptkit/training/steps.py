"""How far a training run had come when a file was written."""

import re
from collections.abc import Mapping

NAMES = (
    "step",
    "global_step",
    "global_timestep",
    "frame_idx",
    "agent_step",
    "total_timesteps_trained",
    "num_timesteps",
    "timesteps",
    "iteration",
    "epoch",
)
"""Fields of training info that count up, the finest first."""
_MARKED = re.compile(r"(?:ts|step|steps|iter|frame)[_-]?([0-9]{1,18})(?![0-9])", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,18}")


def step_of(training_info: Mapping[str, object]) -> int | None:
    """Return the step that training info states; None where it states none."""
    for name in NAMES:
        value = training_info.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def step_in_name(stem: str) -> int | None:
    """Return the step in a file's name, its last number unless another is marked (`ts`, `step` …)."""
    marked = _MARKED.findall(stem)
    found = marked or _NUMBER.findall(stem)
    return int(found[-1]) if found else None
