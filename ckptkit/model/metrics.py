"""Numbers that a checkpoint says of its training, by dotted name."""

import math
from collections.abc import Iterator, Mapping

from ckptkit.errors import UsageError
from ckptkit.model.real import real

MAX_DEPTH = 4
MAX_METRICS = 1000


def metrics(info: Mapping[str, object]) -> dict[str, float]:
    """Return the numbers of training info by dotted name; an infinity is a number, NaN is none.

    Args:
        info: Training info; lists in it are histories and no metrics.
    """
    found: dict[str, float] = {}
    for name, value in _numbers(info, "", 0):
        if len(found) == MAX_METRICS:
            break
        found[name] = value
    return found


def named(values: Mapping[str, float], metric: str) -> float | None:
    """Return a metric by its dotted name or the last part of it; None where there is none.

    Raises:
        UsageError: Several metrics of different values end in that name.
    """
    if metric in values:
        return values[metric]
    ends = {name: value for name, value in values.items() if name.rpartition(".")[2] == metric}
    if len(set(ends.values())) > 1:
        raise UsageError(f"several metrics are called {metric!r}", fix=f"one of: {', '.join(sorted(ends))}")
    return next(iter(ends.values()), None)


def _numbers(info: Mapping[str, object], prefix: str, depth: int) -> Iterator[tuple[str, float]]:
    for key, value in info.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and depth < MAX_DEPTH:
            yield from _numbers(value, f"{name}.", depth + 1)
        else:
            number = real(value)
            if number is not None and not math.isnan(number):
                yield name, number
