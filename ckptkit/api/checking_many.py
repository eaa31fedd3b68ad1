"""Check many checkpoints in processes of their own, and give the results in the order of the paths."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path

from ckptkit.api.caching import Cached, check_path
from ckptkit.api.processes import pool
from ckptkit.model.results import Validation
from ckptkit.model.settings import How

TOGETHER = 16
"""Checkpoints that a process is given at once."""
AHEAD = 8
"""Groups for each process that are under way at most, so that memory is bounded."""


@dataclass(slots=True)
class _Group:
    """Paths that one process checks.

    Attributes:
        paths: In their order.
        future: Their results, once the group is handed out; None for what is no checkpoint.
    """

    paths: list[Path] = field(default_factory=list)
    future: "Future[list[Validation | None]] | None" = None

    def start(self, executor: Executor, work: Cached) -> None:
        """Hand the group out."""
        self.future = executor.submit(_check, tuple(self.paths), work.how)

    @property
    def done(self) -> bool:
        """Whether its results are there."""
        return self.future is not None and self.future.done()


def in_order(found: Iterator[Path], work: Cached, count: int) -> Iterator[Validation]:
    """Yield the results of paths in their order, as soon as all before them are known.

    Args:
        found: Paths that may be checkpoints.
        work: Says what to check, and what is known already.
        count: Processes.
    """
    waiting: deque[Validation | tuple[_Group, int]] = deque()
    with pool(count) as executor:
        group = _Group()
        for path in found:
            known = work.find(path)
            if known is not None:
                waiting.append(known)
            else:
                waiting.append((group, len(group.paths)))
                group.paths.append(path)
            if len(group.paths) == TOGETHER:
                group.start(executor, work)
                group = _Group()
            while waiting and (_is_known(waiting[0]) or len(waiting) > AHEAD * TOGETHER * count):
                yield from _taken(waiting.popleft(), work)
        if group.paths:
            group.start(executor, work)
        while waiting:
            yield from _taken(waiting.popleft(), work)


def _is_known(item: Validation | tuple[_Group, int]) -> bool:
    return isinstance(item, Validation) or item[0].done


def _taken(item: Validation | tuple[_Group, int], work: Cached) -> Iterator[Validation]:
    """Yield a result, waiting for it where need be."""
    if isinstance(item, Validation):
        yield item
        return
    group, at = item
    result = group.future.result()[at] if group.future is not None else None
    if result is not None:
        work.keep(group.paths[at], result)
        yield result


def _check(paths: tuple[Path, ...], how: How) -> list[Validation | None]:
    return [check_path(path, how) for path in paths]
