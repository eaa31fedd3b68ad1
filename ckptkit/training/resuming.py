"""Bring a training run back to where its file was written."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ckptkit.api.loading import refuse_damaged
from ckptkit.api.preparing import refuse_unfit
from ckptkit.api.reading import PathLike, read
from ckptkit.checks.view import restore_hint
from ckptkit.errors import ArchitectureError, UsageError
from ckptkit.model import extras
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import carried
from ckptkit.model.progress import step_of
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in
from ckptkit.training import rng as generators
from ckptkit.training.live import live_tree, own_names, unwrap
from ckptkit.training.saving import (
    EXTRA,
    KINDS,
    MODEL_EXTRA,
    OPTIMIZER,
    PARAMETERS,
    RNG,
    SCALER,
    SCHEDULER,
    kinds,
    parameter_names,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

WRAPPERS = ("", "module.")
"""What may stand before every name of a file that was written from a wrapped model."""
SHOWN = 5
DESCRIBE = frozenset({KINDS, PARAMETERS})
"""Entries that describe the others."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came back.

    Attributes:
        step: How far training had come; None where the file does not say.
        training_info: What the file says of the training.
        extra: What `save_for_training` was given as `extra`.
        left: Parts of the file that were not asked for, such as a scheduler.
        missing: Parts that could not come back: the random generators of a file without them, or of a
            machine with other devices. Empty means that training goes on as if it had never stopped.
    """

    step: int | None
    training_info: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def load_for_training(
    path: PathLike,
    model: "nn.Module",
    optimizer: "torch.optim.Optimizer | Mapping[str, torch.optim.Optimizer] | None" = None,
    scheduler: Any = None,
    scaler: Any = None,
    *,
    rng: bool = True,
) -> Resumed:
    """Put a training run back into the state of a file; nothing in the file is executed.

    Everything is compared before anything is changed: names and shapes of the model, groups and parameters
    of each optimizer, and that the file has each part that is asked for. Files of `torch.save` with the usual
    names (`optimizer_state_dict`, `scheduler_state_dict`, …) are read as well.

    Args:
        path: What `save_for_training` wrote.
        model: Made as before, on its device; wrapped or not.
        optimizer: Made over the same parameters in the same order; several by name, as they were saved.
        scheduler: Likewise.
        scaler: Likewise.
        rng: Whether the global generators of Python, numpy and torch go on where they were.

    Raises:
        ArchitectureError: The model's tensors are not those of the file; all differences are named.
        UsageError: The file lacks a part, an optimizer holds other parameters, or torch cannot take a state.
        IntegrityError: Bytes differ from what was recorded for them.
        CkptkitError: As `read`.
    """
    extras.require("torch", "resuming a training run")
    checkpoint = read(path)
    refuse_unfit(checkpoint)
    refuse_damaged(checkpoint)
    asked = {OPTIMIZER: optimizer, SCHEDULER: scheduler, SCALER: scaler}
    state, weights = _live_state(checkpoint), _values(checkpoint, checkpoint.tensors)
    wanted = {name: part for name, part in asked.items() if part is not None}
    problems = list(_unfit(state, wanted, model))
    if problems:
        raise UsageError("; ".join(problems), where=checkpoint.path)
    _fill(unwrap(model), weights, state.get(MODEL_EXTRA) or {}, checkpoint.path)
    for name, part in wanted.items():
        with _explained(name, checkpoint.path):
            for each, own in _pairs(part, state[name]):
                each.load_state_dict(_like(own, each.state_dict()))
    found = state.get(RNG) if rng else None
    with _explained(RNG, checkpoint.path):
        missing = generators.restore(found) if found else ((RNG,) if rng else ())
    used = {*wanted, *DESCRIBE, MODEL_EXTRA, EXTRA, *([RNG] if rng else [])}
    info = live_tree(checkpoint.training_info, None)
    extra = state.get(EXTRA)
    left = tuple(name for name in state if name not in used)
    return Resumed(step_of(info), info, extra if isinstance(extra, dict) else {}, left, missing)


@contextmanager
def _explained(name: str, where: str) -> Iterator[None]:
    """Turn what torch says of a state that it cannot take into an error that names the part."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"{name} is no such state ({why}); what was loaded before it stays changed",
            where=where,
            fix="make model and optimizer anew before training on",
        ) from error


def _live_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the training state with torch tensors in it."""
    tree = checkpoint.training_state if isinstance(checkpoint.training_state, Mapping) else {}
    named = tensors_in(tree)
    values = _values(checkpoint, named)
    by_view = {tensor.identity: values[name] for name, tensor in named.items()}

    def value(tensor: Tensor) -> "torch.Tensor":
        return by_view[tensor.identity].clone()

    found: dict[str, Any] = live_tree(tree, value)
    return found


def _values(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> "dict[str, torch.Tensor]":
    from ckptkit.graph.torch_tensors import state_dict

    vouched = bool(carried(checkpoint))
    hint = restore_hint(checkpoint)
    return state_dict(tensors, "cpu", digests=vouched, where=checkpoint.path, fix=hint)


def _unfit(state: Mapping[str, Any], wanted: Mapping[str, Any], model: "nn.Module") -> Iterator[str]:
    """Say why parts cannot be loaded."""
    lacking = [name for name in wanted if name not in state]
    if lacking:
        there = ", ".join(name for name in state if name not in DESCRIBE) or "no training state"
        yield f"the file holds no {', '.join(lacking)}; it holds {there}"
    for name in wanted.keys() - set(lacking):
        yield from _other_kind(name, wanted[name], state)
    if OPTIMIZER in wanted and not lacking:
        yield from _other_parameters(state, wanted[OPTIMIZER], model)


def _other_kind(name: str, part: Any, state: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(part, Mapping) and part.keys() != state[name].keys():
        yield f"{name}: the file has {', '.join(map(str, state[name]))}, asked for is {', '.join(part)}"
        return
    before, now = state.get(KINDS, {}).get(name), kinds(part)
    if before is not None and before != now:
        yield f"{name} is that of {before}, asked for is {now}"
    enabled = getattr(part, "is_enabled", None)
    if not state[name] and callable(enabled) and enabled():
        yield f"{name} is that of a scaler that was not enabled"


def _other_parameters(state: Mapping[str, Any], optimizer: Any, model: "nn.Module") -> Iterator[str]:
    names = parameter_names(model, optimizer)
    if isinstance(optimizer, Mapping) and optimizer.keys() != state[OPTIMIZER].keys():
        return
    for each, own in _pairs(optimizer, state[OPTIMIZER]):
        have = [len(group["params"]) for group in each.param_groups]
        groups = own.get("param_groups") if isinstance(own, Mapping) else None
        want = [len(group["params"]) for group in groups or ()]
        if have != want:
            yield f"the optimizer has groups of {have} parameters, the file's has {want}"
            return
    if PARAMETERS in state and state[PARAMETERS] != names:
        before, now = list(_flat(state[PARAMETERS])), list(_flat(names))
        at = next(i for i, pair in enumerate(zip(before, now, strict=False)) if pair[0] != pair[1])
        yield f"the optimizer's parameter {at} is {now[at]}, and the file's is {before[at]}"


def _flat(names: Any) -> Iterator[str | None]:
    if isinstance(names, str) or names is None:
        yield names
        return
    for part in names.values() if isinstance(names, Mapping) else names:
        yield from _flat(part)


def _pairs(part: Any, state: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(part, Mapping):
        yield from ((part[name], state[name]) for name in part)
    else:
        yield part, state


def _fill(
    module: "nn.Module", weights: "Mapping[str, torch.Tensor]", extra: Mapping[str, Any], where: str
) -> None:
    """Copy tensors into a model, after all of them have been compared."""
    own = module.state_dict()
    names = own_names(own)
    saved = {**{short: weights[name] for short, name in own_names(weights).items()}, **extra}
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in saved):
            bare = {name.removeprefix(wrapper): value for name, value in saved.items()}
            saved = bare if bare.keys() == names.keys() else saved
    problems = [f"{name} is not in the file" for name in _first(names.keys() - saved.keys())]
    problems += [f"{name} is not in the model" for name in _first(saved.keys() - names.keys())]
    problems += _first(_misshapen(saved, {short: own[name] for short, name in names.items()}))
    if problems:
        raise ArchitectureError(f"another model: {'; '.join(problems)}", where=where)
    module.load_state_dict({names[short]: value for short, value in saved.items()}, strict=True)


def _misshapen(saved: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    for name in saved.keys() & own.keys():
        before, now = _typed(saved[name]), _typed(own[name])
        if before != now:
            yield f"{name} is {now}, and in the file {before}"


def _typed(value: Any) -> str:
    """Say what a tensor is; extra state of a module, which may be anything, is nothing to compare."""
    return f"{value.dtype} {list(value.shape)}" if hasattr(value, "shape") else ""


def _first(items: Iterable[str]) -> list[str]:
    """Return the first few, and how many more there are."""
    every = sorted(items)
    return every[:SHOWN] + ([f"{len(every) - SHOWN} more"] if len(every) > SHOWN else [])


def _like(value: Any, present: Any) -> Any:
    """Return a state whose dicts are of the kinds that the object itself has there (a Counter, say)."""
    if isinstance(value, dict) and isinstance(present, dict):
        made = copy(present) if type(present) is not dict else {}
        made.clear()
        made.update({key: _like(item, present.get(key)) for key, item in value.items()})
        return made
    if isinstance(value, list) and isinstance(present, list) and len(value) == len(present):
        return [_like(item, there) for item, there in zip(value, present, strict=True)]
    return value
