"""Work on many things in processes of their own, with the results in the order of the things.

A process is worth its start where what is done is Python's own work, as reading headers and checking
manifests is. What waits for bytes, as hashing and copying do, is spread over threads where it is done.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Generic, TypeVar

from ckptkit.model.processors import processors

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

FEW = 64
"""Up to so many things one process is done with before others have started."""
TOGETHER = 16
"""Things that a process is given at once, at most."""
QUICK_S = 0.01
"""Seconds that a process is to spend on what it is given at once; things that take as long go one by one."""
AHEAD = 128
"""Things for each process that are under way at most, so that memory is bounded."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Known(Generic[Result_co]):
    """A thing whose result is there already, in its place among the others."""

    result: Result_co


@dataclass(slots=True)
class _Group(Generic[Item, Result]):
    """Things that one process is given.

    Attributes:
        items: In their order.
        future: Their results and the seconds that all took, once the group is handed out.
    """

    items: list[Item] = field(default_factory=list)
    future: "Future[tuple[list[Result], float]] | None" = None

    def start(self, executor: "Executor", work: Callable[[Item], Result]) -> None:
        """Hand the group out."""
        self.future = executor.submit(_all, work, tuple(self.items))

    def done(self) -> tuple[list[Result], float]:
        """Return the results and the seconds, waiting for them where need be."""
        assert self.future is not None  # noqa: S101 -- for the type checker: groups are handed out in order
        return self.future.result()


def each(
    work: Callable[[Item], Result], items: Iterable[Item | Known[Result]], jobs: int, *, few: int = FEW
) -> Generator[tuple[Item | None, Result]]:
    """Yield each thing (None for one that is `Known`) with its result, as soon as all before it are done.

    One that takes long holds up what is yielded, not what is done: others go on behind it. Things are handed
    out one by one until it is known that they are quick.

    Args:
        work: What is done with a thing; where there are other processes it is pickled, and so are things
            and results.
        items: The things.
        jobs: Processes, where more than one thing has no result yet; 1 for none but this one, 0 for one a
            core where more than `few` have none.
        few: How many are done here before other processes would have started.
    """
    if jobs == 1:
        yield from _here(work, items)
        return
    rest, alone = iter(items), 1 if jobs else few
    first: list[Item | Known[Result]] = []
    first.extend(_until_many(rest, alone))
    count = jobs or processors()
    if count == 1 or _unknown(first) <= alone:
        yield from _here(work, chain(first, rest))
        return
    from ckptkit.api.processes import pool

    with pool(count) as executor:
        yield from _elsewhere(work, chain(first, rest), executor, AHEAD * count)


def _until_many(rest: Iterator[Item | Known[Result]], few: int) -> Iterator[Item | Known[Result]]:
    """Yield things until more than `few` without a result have been seen."""
    count = 0
    for item in rest:
        yield item
        count += not isinstance(item, Known)
        if count > few:
            return


def _unknown(items: Iterable[object]) -> int:
    return sum(not isinstance(item, Known) for item in items)


def _here(
    work: Callable[[Item], Result], items: Iterable[Item | Known[Result]]
) -> Iterator[tuple[Item | None, Result]]:
    for item in items:
        if isinstance(item, Known):
            yield None, item.result
        else:
            yield item, work(item)


def _elsewhere(
    work: Callable[[Item], Result], items: Iterable[Item | Known[Result]], executor: "Executor", most: int
) -> Iterator[tuple[Item | None, Result]]:
    waiting: deque[Known[Result] | tuple[_Group[Item, Result], int]] = deque()
    group: _Group[Item, Result] = _Group()
    together = 1
    for item in items:
        if isinstance(item, Known):
            waiting.append(item)
        else:
            waiting.append((group, len(group.items)))
            group.items.append(item)
        if len(group.items) >= together or (group.items and len(waiting) > most):
            group.start(executor, work)
            group = _Group()
        while waiting and (_is_done(waiting[0]) or len(waiting) > most):
            one = waiting.popleft()
            together = _together(one, together)
            done = _taken(one)
            yield done
    if group.items:
        group.start(executor, work)
    for one in waiting:
        last = _taken(one)
        yield last


def _is_done(item: Known[Result] | tuple[_Group[Item, Result], int]) -> bool:
    if isinstance(item, Known):
        return True
    future = item[0].future
    return future is not None and future.done()


def _taken(
    item: Known[Result] | tuple[_Group[Item, Result], int],
) -> tuple[Item | None, Result]:
    if isinstance(item, Known):
        return None, item.result
    group, at = item
    return group.items[at], group.done()[0][at]


def _together(item: Known[Result] | tuple[_Group[Item, Result], int], before: int) -> int:
    """Return how many things to hand out together that take as long as this one's group, a piece."""
    if isinstance(item, Known):
        return before
    results, seconds = item[0].done()
    fitting = QUICK_S * len(results) / max(seconds, QUICK_S / TOGETHER)
    return max(1, min(TOGETHER, int(fitting)))


def _all(work: Callable[[Item], Result], items: tuple[Item, ...]) -> tuple[list[Result], float]:
    """Return the results and the seconds that all took."""
    start = time.perf_counter()
    return [work(item) for item in items], time.perf_counter() - start
