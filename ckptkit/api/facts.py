"""What a checkpoint, a module, a configuration or an environment says of what it needs."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ckptkit.errors import UsageError
from ckptkit.graph.document import architecture_of
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.compatibility import Facts
from ckptkit.model.dtype import BY_TORCH
from ckptkit.model.manifest import carried
from ckptkit.model.tree import to_json

SPACES = ("observation", "action")
PACKAGES = {
    "PyTorch": "torch",
    "Stable-Baselines3": "stable-baselines3",
    "Gymnasium": "gymnasium",
    "OpenAI Gym": "gym",
    "Numpy": "numpy",
}
"""Distribution by the name that Stable-Baselines3 records it under."""
ACTION_NAMES = "action_names"
MAX_DEPTH = 4


def facts_of(checkpoint: Checkpoint) -> Facts:
    """Return what a checkpoint says of itself."""
    config = _json(checkpoint.model_config)
    architecture = architecture_of(checkpoint) or {}
    recovered = architecture.get("config")
    trees = (checkpoint.model_config, checkpoint.training_info)
    return Facts(
        label=checkpoint.path,
        version=str(carried(checkpoint).get("spec_version") or checkpoint.format_version or ""),
        spaces=checkpoint.spaces,
        fields={**config, **(recovered if isinstance(recovered, Mapping) else {})},
        tensors={name: (tensor.dtype.name, tensor.shape) for name, tensor in checkpoint.tensors.items()},
        actions=next((names for tree in trees for names in _action_names(tree, 0)), ()),
        versions=dict(_versions(checkpoint.training_info)),
    )


def facts_of_object(against: object) -> Facts:
    """Return what an object in memory says; nothing of it is called but `state_dict`.

    Args:
        against: A module (anything with `state_dict`), an environment (with `observation_space` and
            `action_space`), a mapping of spaces, or a configuration: a mapping or a dataclass.

    Raises:
        UsageError: It is none of these.
    """
    state_dict = getattr(against, "state_dict", None)
    if callable(state_dict):
        tensors = {str(name): _kind(value) for name, value in state_dict().items()}
        return Facts(label=type(against).__name__, tensors=tensors)
    if hasattr(against, "observation_space"):
        found = {name: getattr(against, f"{name}_space", None) for name in SPACES}
        spaces = {name: _space(value) for name, value in found.items() if value is not None}
        return Facts(label=type(against).__name__, spaces=spaces)
    if dataclasses.is_dataclass(against) and not isinstance(against, type):
        fields = {one.name: getattr(against, one.name) for one in dataclasses.fields(against)}
        return Facts(label=type(against).__name__, fields=_json(fields), complete=False)
    if isinstance(against, Mapping) and against:
        if against.keys() <= set(SPACES):
            return Facts(label="the spaces given", spaces={str(k): _space(v) for k, v in against.items()})
        return Facts(label="the configuration given", fields=_json(against), complete=False)
    what = f"a {type(against).__name__} says nothing of a network"
    raise UsageError(what, fix="give a path, a module, an environment, spaces or a configuration")


def is_path(against: object) -> bool:
    """Whether `against` names a checkpoint on disk."""
    return isinstance(against, str | os.PathLike)


def _json(values: Mapping[Any, object]) -> dict[str, object]:
    try:
        return {str(key): to_json(_plain(value)) for key, value in values.items()}
    except TypeError as error:
        raise UsageError(
            f"the configuration is no plain data: {error}", fix="give numbers and texts"
        ) from error


def _plain(value: object) -> object:
    """Return a number of numpy as Python's own; every other value as it is."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "shape", None) == () else value


def _kind(value: Any) -> tuple[str, tuple[int, ...]]:
    name = str(value.dtype).removeprefix("torch.")
    return BY_TORCH[name].name if name in BY_TORCH else name, tuple(int(size) for size in value.shape)


def _action_names(tree: object, depth: int) -> Iterator[tuple[str, ...]]:
    if not isinstance(tree, Mapping) or depth > MAX_DEPTH:
        return
    names = tree.get(ACTION_NAMES)
    if isinstance(names, list | tuple) and names:
        yield tuple(str(name) for name in names)
    for value in tree.values():
        yield from _action_names(value, depth + 1)


def _versions(info: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if isinstance(info.get("sb3_version"), str):
        yield "stable-baselines3", str(info["sb3_version"])
    system = info.get("system_info")
    for name, package in PACKAGES.items():
        if isinstance(system, Mapping) and isinstance(system.get(name), str):
            yield package, str(system[name])


def _space(space: Any) -> Mapping[str, object]:
    """Return a space as data: it is that already, or an object of gym or gymnasium."""
    if isinstance(space, Mapping) and "type" in space:
        return space
    kind = type(space).__name__
    match kind:
        case "Box":
            bounds = {name: _bound(getattr(space, name)) for name in ("low", "high")}
            return {"type": kind, "shape": list(space.shape), "dtype": str(space.dtype), **bounds}
        case "Discrete":
            return {"type": kind, "n": int(space.n), "start": int(getattr(space, "start", 0))}
        case "MultiDiscrete":
            return {"type": kind, "nvec": [int(n) for n in space.nvec.ravel()]}
        case "MultiBinary":
            return {"type": kind, "shape": list(space.shape)}
        case "Dict":
            parts = [{"key": str(key), "space": _space(part)} for key, part in space.spaces.items()]
            return {"type": kind, "spaces": parts}
        case "Tuple":
            return {"type": kind, "spaces": [_space(part) for part in space.spaces]}
    raise UsageError(
        f"a {kind} is no space that can be compared", fix="give it as data, as spec/manifest.md does"
    )


def _bound(values: Any) -> object:
    flat = [float(value) for value in values.ravel()]
    return flat[0] if flat and all(value == flat[0] for value in flat) else flat
