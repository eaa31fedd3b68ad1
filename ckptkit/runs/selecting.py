"""Choose among the checkpoints of a directory: the latest, the best by a metric, or at random."""

import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ckptkit.api.reading import PathLike
from ckptkit.api.surveying import survey
from ckptkit.errors import UsageError
from ckptkit.model.directory import Directory, Entry
from ckptkit.model.metrics import named
from ckptkit.model.runs import Choice, Selection, Skipped
from ckptkit.training.latest import why_invalid

LATEST, TOP, RANDOM = "latest", "top", "random"
WAYS = (LATEST, TOP, RANDOM)


def select(  # noqa: PLR0913 - one parameter an option of the command
    directory: PathLike,
    by: str = LATEST,
    n: int = 1,
    *,
    metric: str | None = None,
    lowest: bool = False,
    seed: int | None = None,
    level: int | None = None,
) -> Selection:
    """Choose checkpoints in a directory and below it, each of which is whole.

    Args:
        directory: A run, or a folder of runs.
        by: `latest` (trained longest), `top` (best by `metric`) or `random`.
        n: How many, at most.
        metric: Name of a number in the training info, dotted or its last part: `score`.
        lowest: Whether the lowest value is the best.
        seed: Makes a random choice repeat.
        level: Level that each must reach; None takes what each file claims.

    Returns:
        The choice, best first, and what was passed over because it is broken, unsafe, or not what it
        claims.

    Raises:
        UsageError: `by` is unknown, `top` has no metric, or no checkpoint has that metric.
        NotACheckpointError: There is no checkpoint in the directory.
    """
    if by not in WAYS:
        raise UsageError(f"unknown way to choose {by!r}", fix=f"one of: {', '.join(WAYS)}")
    if n < 1:
        raise UsageError(f"{n} checkpoints are none", fix="n of 1 or more")
    if by == TOP and metric is None:
        raise UsageError("the best by what?", fix="name a metric, such as best_eval_reward or score")
    found = survey(directory)
    choices, without = _choices(found, metric)
    ordered = _ordered(choices, by, lowest=lowest, seed=seed)
    chosen, skipped = _whole(ordered, n, level)
    return Selection(os.fspath(directory), by, metric or "", chosen, (*without, *skipped))


def leaderboard(directory: PathLike, metric: str | None = None, *, lowest: bool = False) -> Selection:
    """List the checkpoints of a directory, best first by a metric, without one the latest first.

    Nothing is validated; what cannot be read, or lacks the metric, is among the skipped.

    Raises:
        UsageError: No checkpoint has that metric.
        NotACheckpointError: There is no checkpoint in the directory.
    """
    choices, without = _choices(survey(directory), metric)
    ordered = _ordered(choices, TOP if metric else LATEST, lowest=lowest, seed=None)
    return Selection(os.fspath(directory), "all", metric or "", tuple(ordered), tuple(without))


def by_training(entries: Iterable[Entry], root: Path) -> list[Entry]:
    """Return entries in the order of their training, the newest first.

    Counts of different fields do not compare: what most entries count comes first. Time of modification
    decides among equals and where nothing says a step.
    """
    known = list(entries)
    units = Counter(entry.unit for entry in known if entry.step is not None)
    common = max(units, key=lambda unit: (units[unit], unit), default="")

    def rank(entry: Entry) -> tuple[bool, int, float, str]:
        counted = entry.step is not None and entry.unit == common
        modified = (root / entry.path).lstat().st_mtime
        return counted, -1 if entry.step is None else entry.step, modified, entry.path

    return sorted(known, key=rank, reverse=True)


def _choices(found: Directory, metric: str | None) -> tuple[list[Choice], list[Skipped]]:
    """Return the usable weights, the newest first, and what was left out."""
    root = Path(found.path)
    skipped = [Skipped(root / one.path, one.failure.what) for one in found.failed if one.failure]
    choices = [Choice(root / one.path, one) for one in by_training(_usable(found), root)]
    if metric is None:
        return choices, skipped
    scored = [Choice(one.path, one.entry, named(one.entry.metrics, metric)) for one in choices]
    if scored and all(one.value is None for one in scored):
        known = sorted({name for one in choices for name in one.entry.metrics})
        raise UsageError(
            f"no checkpoint says a {metric!r}", where=found.path, fix=f"known: {', '.join(known) or 'none'}"
        )
    skipped += [Skipped(one.path, f"says no {metric}") for one in scored if one.value is None]
    return [one for one in scored if one.value is not None], skipped


def _usable(found: Directory) -> Iterable[Entry]:
    return (entry for entry in found.entries if entry.has_weights)


def _ordered(choices: Sequence[Choice], by: str, *, lowest: bool, seed: int | None) -> list[Choice]:
    """Order choices that come newest first, so that of two equals the newer is first."""
    if by == RANDOM:
        drawn = sorted(choices, key=lambda one: one.entry.path)
        random.Random(seed).shuffle(drawn)  # noqa: S311 - a choice of files is no secret
        return drawn
    if by == TOP:
        sign = 1 if lowest else -1
        return sorted(choices, key=lambda one: sign * (one.value or 0.0))
    return list(choices)


def _whole(
    ordered: Sequence[Choice], n: int, level: int | None
) -> tuple[tuple[Choice, ...], tuple[Skipped, ...]]:
    chosen: list[Choice] = []
    skipped: list[Skipped] = []
    for one in ordered:
        if len(chosen) == n:
            break
        reason = why_invalid(one.path, level)
        if reason:
            skipped.append(Skipped(one.path, reason))
        else:
            chosen.append(one)
    return tuple(chosen), tuple(skipped)
