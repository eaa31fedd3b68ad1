"""Processes, measured: wall time, processor time and peak memory, and several of them in turn."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Command = Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class Run:
    """One process.

    Attributes:
        seconds: Wall time, start-up and imports included.
        processor: Processor time of it and of the processes that it waited for, in seconds.
        megabytes: Peak resident memory.
        ended: Exit status.
    """

    seconds: float
    processor: float
    megabytes: float
    ended: int


@dataclass(frozen=True, slots=True)
class Table:
    """What several programs took for one piece of work.

    Attributes:
        title: The work.
        runs: Runs by the name of the program; ckptkit first.
        why_not: Why a program that is listed has no runs.
        note: What is to be known for reading it.
    """

    title: str
    runs: Mapping[str, Sequence[Run]]
    why_not: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def median(self, program: str) -> Run:
        """Return the middle of each quantity over all runs."""
        found = self.runs[program]
        return Run(
            statistics.median(run.seconds for run in found),
            statistics.median(run.processor for run in found),
            statistics.median(run.megabytes for run in found),
            0,
        )


def measure(command: Command, **environment: str) -> Run:
    """Run a process to its end; what it prints is thrown away."""
    # Two small writes: what the process before left unwritten is not this one's to wait for.
    os.sync()
    start = time.perf_counter()
    process = subprocess.Popen(
        list(map(os.fspath, command)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts kilobytes, macOS bytes.
    peak = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak, process.returncode)


def in_turn(
    title: str,
    commands: Mapping[str, Command | None],
    runs: int,
    *,
    note: str = "",
    before: Callable[[], None] = lambda: None,
    good: frozenset[int] = frozenset({0}),
) -> Table:
    """Measure several commands one after the other, and that again, so that a busy moment hits all alike.

    Args:
        title: The work.
        commands: By program; None for one that is not installed.
        runs: How often.
        note: For the table.
        before: Called before each run, to take away what the last one wrote.
        good: Exit statuses of a program that has done the work.
    """
    found: dict[str, list[Run]] = {name: [] for name, command in commands.items() if command is not None}
    why_not = {name: "not installed" for name, command in commands.items() if command is None}
    print(title, flush=True)
    for _ in range(runs):
        for name in list(found):
            before()
            run = measure(commands[name] or ())
            print(f"  {name:36} {run.seconds:8.2f} s", flush=True)
            if run.ended in good:
                found[name].append(run)
            else:
                why_not[name] = f"ended with status {run.ended}"
                del found[name]
    if next(iter(commands)) not in found:
        raise SystemExit(f"{title}: {why_not}")
    return Table(title, found, why_not, note)


def empty(folder: Path) -> Callable[[], None]:
    """Return what makes `folder` an empty folder."""

    def again() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    return again
