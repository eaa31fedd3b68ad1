"""CK61x: whether what a checkpoint says of its training can be true."""

import math
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from ckptkit.checks import Rule
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.progress import counts, step_in_name
from ckptkit.model.real import real
from ckptkit.model.tensor import Tensor

SAME_SHAPE = (
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "momentum_buffer",
    "square_avg",
    "grad_avg",
    "acc_delta",
    "exp_inf",
    "ax",
)
"""What torch's optimizers keep for a parameter, in its shape (torch 2.13, `torch/optim`)."""
FRACTIONS = ("epsilon", "gamma", "gae_lambda", "exploration_rate", "clip_range", "tau")
"""Fields that lie between 0 and 1."""
COUNTED = (
    "black_wins",
    "white_wins",
    "draws",
    "total_episodes_completed",
    "episode_idx",
    "episode",
    "world_size",
)
"""Fields beside those that count the training that cannot be negative."""
SMALL = 100
"""A number in a file's name below this may be a seed, a version or a size."""


def check_optimizer(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report optimizer states whose shapes no tensor of the model has."""
    shapes = {tensor.shape for tensor in checkpoint.tensors.values()}
    if not shapes:
        return
    for place, state in _optimizers(checkpoint.training_state, ""):
        odd = sorted({_text(tensor.shape) for tensor in _moments(state) if tensor.shape not in shapes})
        if odd:
            more = " …" if len(odd) > 3 else ""
            message = f"keeps averages of shape {', '.join(odd[:3])}{more}, and no tensor of the model has it"
            fix = "take the optimizer's state of the same save, or start it anew"
            yield Finding("CK611", Severity.WARNING, message, checkpoint.path, place, fix)


def _optimizers(tree: object, place: str) -> Iterator[tuple[str, Mapping[object, object]]]:
    """Yield each optimizer's `state` and where it stands."""
    if not isinstance(tree, Mapping):
        return
    state = tree.get("state")
    if isinstance(state, Mapping) and isinstance(tree.get("param_groups"), list | tuple):
        yield place or "training_state", state
        return
    for key, value in tree.items():
        if isinstance(key, str):
            yield from _optimizers(value, f"{place}.{key}" if place else key)


def _moments(state: Mapping[object, object]) -> Iterator[Tensor]:
    for fields in state.values():
        for name in SAME_SHAPE if isinstance(fields, Mapping) else ():
            value = fields.get(name) if isinstance(fields, Mapping) else None
            # One number: the temperature of SAC and the like, which is no part of the state dict.
            if isinstance(value, Tensor) and value.numel > 1:
                yield value


def _text(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def check_info(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report figures that no training can have."""
    info = checkpoint.training_info
    figures = dict(counts(info)) | {key: info[key] for key in (*COUNTED, *FRACTIONS) if key in info}
    for key, value in figures.items():
        problem = _implausible(key, value)
        if problem:
            yield Finding(
                "CK612", Severity.WARNING, f"{key} is {problem}", checkpoint.path, f"/training_info/{key}"
            )


def _implausible(key: str, value: object) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return ""
    number = real(value)
    if number is None:
        return "an integer beyond every count"
    if math.isnan(number):
        return "NaN"
    if key in FRACTIONS:
        return "" if 0 <= number <= 1 else f"{number:g}, and lies between 0 and 1 where it is one"
    return "" if number >= 0 else f"{number:g}, and counts from 0"


def check_name(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report a file whose name states another step than its contents."""
    stem = PurePath(checkpoint.path).name.partition(".")[0]
    named, stated = step_in_name(stem), dict(counts(checkpoint.training_info))
    if checkpoint.bundle is not None and checkpoint.bundle.encoding == "deploy":
        return
    if named is None or named < SMALL or not stated or named in stated.values():
        return
    shown = ", ".join(f"{key} {value:,}" for key, value in stated.items())
    message = f"the name says {named:,}, and the contents say {shown}"
    yield Finding("CK613", Severity.INFO, message, checkpoint.path)


RULES = (
    Rule(
        "CK611",
        "optimizer-misfit",
        Severity.WARNING,
        0,
        "The optimizer's state was kept for parameters of other shapes than the model has.",
        "Training on from it fails, or, where the order happens to fit, moves each weight by the averages of "
        "another. It happens when weights and optimizer are saved by different runs.",
        "Take the optimizer's state that was saved with these weights, or start the optimizer anew.",
        check=check_optimizer,
    ),
    Rule(
        "CK612",
        "implausible-training-info",
        Severity.WARNING,
        0,
        "A figure about the training cannot be right: a negative count, a NaN, a fraction beyond 0 to 1.",
        "Selection by steps or by reward takes such a file for the newest or the best. The weights may be "
        "sound all the same.",
        "See what wrote the file; select another way.",
        check=check_info,
    ),
    Rule(
        "CK613",
        "name-disagrees",
        Severity.INFO,
        0,
        "The file's name states another step than its contents.",
        "Somebody renamed or copied it, or the program that saved it counts in two ways. Tools that go by "
        "names resume from another point than tools that go by contents.",
        "Go by the contents, or name the file anew.",
        check=check_name,
    ),
)
