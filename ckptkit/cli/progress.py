"""Progress for people at a terminal; logs and pipes get none."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Told = Callable[[int, int, Any], None]
"""Called with what is done, the total, and the last thing done."""


@contextmanager
def shown(phase: str) -> Iterator[Told | None]:
    """Give a function that shows how far a phase is, with rate and rest; None off a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(phase, total=None)

        def told(done: int, total: int, _: object) -> None:
            bar.update(task, completed=done, total=total)

        yield told
