"""Write live networks and training states as version 2 torch dicts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptkit.api.preparing import with_architecture
from ckptkit.api.reading import PathLike
from ckptkit.errors import UsageError
from ckptkit.model import extras
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import ARCHITECTURE, Hints
from ckptkit.model.results import Written
from ckptkit.model.tree import TRAINING_PREFIX
from ckptkit.training import rng as generators
from ckptkit.training.live import Live, Words, own_names, unwrap
from ckptkit.training.model_config import ModelConfig
from ckptkit.training.networks import MEMORY, describe, graph_of
from ckptkit.writers import torch_dict

if TYPE_CHECKING:
    import torch
    from torch import nn

OPTIMIZER, SCHEDULER, SCALER = "optimizer_state_dict", "scheduler_state_dict", "grad_scaler_state_dict"
RNG, EXTRA, MODEL_EXTRA = "rng_states", "extra", "model_extra_state"
KINDS = "kinds"
"""Names of the classes of optimizers, schedulers and scalers: to be compared, never imported."""
PARAMETERS = "optimizer_parameters"
"""Names of the parameters that each group of an optimizer holds, since its state knows only their places."""


def save_model_checkpoint(
    model: "nn.Module",
    model_config: ModelConfig | Mapping[str, object],
    training_info: Mapping[str, Any],
    path: PathLike,
    *,
    force: bool = True,
) -> Written | None:
    """Write an Asteroids network as a version 2.0 torch dict with its manifest.

    The file appears whole or not at all, holds no class, and the same state gives the same bytes. What
    `DataParallel`, `DistributedDataParallel` and `torch.compile` add is left out of its names.

    Args:
        model: Any module that has the system's own names, such as `create_model_from_config` returns.
        model_config: What it is; compared with its tensors.
        training_info: Plain data; numbers need not be finite.
        path: File to write, in a folder that exists.
        force: Replace a file that stands there, as `torch.save` does.

    Returns:
        What was written, with its digests; None in a process of `torch.distributed` other than rank 0,
        which writes nothing and does not wait.

    Raises:
        ArchitectureError: The configuration is not that of the tensors; every contradiction is named.
        TargetExistsError: Something stands there that may not be replaced.
        UsageError: The folder is missing, or something is no plain data.
        WriteError: The system does not let it be written; nothing is left behind.
    """
    extras.require("torch", "saving a network")
    if not _is_first():
        return None
    tensors, extra = _state(model, Live())
    if extra:
        raise UsageError(f"{', '.join(extra)}: no tensor; an Asteroids network has only tensors")
    info = Words().tree(training_info, "training_info")
    checkpoint = _in_memory(tensors, info)
    return _write(_configured(checkpoint, model_config), path, force=force)


def save_for_training(  # noqa: PLR0913 - one parameter a part of the state
    path: PathLike,
    model: "nn.Module",
    optimizer: "torch.optim.Optimizer | Mapping[str, torch.optim.Optimizer] | None" = None,
    scheduler: Any = None,
    scaler: Any = None,
    *,
    rng: bool = True,
    step: int | None = None,
    extra: Mapping[str, Any] | None = None,
    training_info: Mapping[str, Any] | None = None,
    model_config: ModelConfig | Mapping[str, object] | None = None,
    force: bool = True,
) -> Written | None:
    """Write everything that a training run needs to go on as if it had never stopped.

    Tensors of optimizers become tensors of the file, each with its digest; no class is stored.

    Args:
        path: File to write, in a folder that exists.
        model: Any module.
        optimizer: One, or several by name; likewise for `scheduler` and `scaler`.
        scheduler: Anything with `state_dict()`.
        scaler: A GradScaler.
        rng: Whether the global generators of Python, numpy and torch are kept (this process's alone).
        step: How far training has come; `training_info` has it as `step`.
        extra: Whatever else must come back: plain data, arrays and tensors, such as the state of a
            generator of your own.
        training_info: Plain facts for people and `find_latest_checkpoint`.
        model_config: What an Asteroids network is; other networks are described where ckptkit made them.
        force: Replace a file that stands there.

    Returns:
        As `save_model_checkpoint`.

    Raises:
        UsageError: Something is no plain data; the message says where.
        CkptkitError: As `save_model_checkpoint`.
    """
    extras.require("torch", "saving a network")
    if not _is_first():
        return None
    live = Live()
    tensors, model_extra = _state(model, live)
    stepping = {OPTIMIZER: optimizer, SCHEDULER: scheduler, SCALER: scaler}
    parts: dict[str, object] = {
        KINDS: {name: kinds(part) for name, part in stepping.items() if part is not None} or None,
        OPTIMIZER: _states(optimizer),
        PARAMETERS: parameter_names(model, optimizer) if optimizer is not None else None,
        SCHEDULER: _states(scheduler),
        SCALER: _states(scaler),
        RNG: generators.states() if rng else None,
        MODEL_EXTRA: model_extra or None,
        EXTRA: None if extra is None else Live.checked(extra, EXTRA),
    }
    state = live.tree({name: part for name, part in parts.items() if part is not None}, TRAINING_PREFIX)
    said = dict(training_info or {}) | ({} if step is None else {"step": step})
    checkpoint = replace(
        _in_memory(tensors, Words().tree(said, "training_info")), training_state=state or None
    )
    if model_config is not None:
        described = _configured(checkpoint, model_config)
    else:
        described = _described(checkpoint, unwrap(model))
    return _write(described, path, force=force)


def parameter_names(
    model: "nn.Module", optimizer: "torch.optim.Optimizer | Mapping[str, torch.optim.Optimizer]"
) -> object:
    """Return for each optimizer the model's names of the parameters of each group; None for another's."""
    own = {id(value): name for name, value in unwrap(model).named_parameters()}
    short = {name: clean for clean, name in own_names(own.values()).items()}

    def of(one: "torch.optim.Optimizer") -> list[list[str | None]]:
        groups = (group["params"] for group in one.param_groups)
        return [[short.get(own.get(id(value), "")) for value in group] for group in groups]

    return (
        {name: of(one) for name, one in optimizer.items()}
        if isinstance(optimizer, Mapping)
        else of(optimizer)
    )


def kinds(part: Any) -> object:
    """Return the name of an object's class; of several by name, that of each."""
    if isinstance(part, Mapping):
        return {name: kinds(one) for name, one in part.items()}
    return type(part).__qualname__


def _states(part: Any) -> object:
    if part is None:
        return None
    if isinstance(part, Mapping):
        return {name: _states(one) for name, one in part.items()}
    if not callable(getattr(part, "state_dict", None)):
        raise UsageError(f"a {type(part).__qualname__} has no state_dict(), and so nothing to come back to")
    return part.state_dict()


def _state(model: "nn.Module", live: Live) -> tuple[dict[str, Any], dict[str, object]]:
    """Return the tensors of a model under clean names, and what else its state dict holds."""
    import torch

    state = unwrap(model).state_dict()
    clean = {short: state[name] for short, name in own_names(state).items()}
    tensors = {name: value for name, value in clean.items() if isinstance(value, torch.Tensor)}
    return (
        {name: live.tensor(value, name) for name, value in tensors.items()},
        {name: value for name, value in clean.items() if name not in tensors},
    )


def _in_memory(tensors: Mapping[str, Any], info: Mapping[str, object]) -> Checkpoint:
    return Checkpoint(path="", format=MEMORY, container=MEMORY, tensors=tensors, training_info=info)


def _configured(checkpoint: Checkpoint, config: ModelConfig | Mapping[str, object]) -> Checkpoint:
    """Return a checkpoint with the architecture that its configuration and its tensors agree on."""
    stated = replace(checkpoint, model_config=ModelConfig.of(config).words())
    found = describe(stated)
    graph_of(found, "the model_config must be that of the model")
    return replace(stated, architecture=found.architecture(), recovery=found.report())


def _described(checkpoint: Checkpoint, module: "nn.Module") -> Checkpoint:
    from ckptkit.graph.torch_module import GraphModule

    if not isinstance(module, GraphModule):
        return with_architecture(checkpoint, Hints())
    architecture = {"schema": ARCHITECTURE, "graph": module.graph.to_json()}
    return replace(checkpoint, architecture=architecture, spaces=module.spaces)


def _write(checkpoint: Checkpoint, path: PathLike, *, force: bool) -> Written:
    target = Path(path)
    if not target.parent.is_dir():
        raise UsageError("there is no such folder", where=str(target.parent), fix="make it first")
    torch_dict.WRITER.reach(checkpoint)  # refuses tensors that do not fit the graph
    return torch_dict.WRITER.write(checkpoint, target, force)


def _is_first() -> bool:
    import torch.distributed as group

    return not (group.is_available() and group.is_initialized()) or group.get_rank() == 0
