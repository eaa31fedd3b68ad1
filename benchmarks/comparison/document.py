"""The tables and pictures of one run as a page of the documentation."""

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import fill

from benchmarks.comparison.growth import Curve
from benchmarks.comparison.measuring import Table
from benchmarks.comparison.programs import PEERS_VARIABLE

OURS = ("ckptkit", "torch", "safetensors", "stable-baselines3", "onnx", "onnxruntime", "onnxscript", "numpy")
PEERS = ("picklescan", "fickling", "modelscan", "model-signing", "check-jsonschema")
WIDTH = 120
BUSY = 0.5
"""Load before the run, per core, from which the page says that the machine was busy."""


def page(tables: Sequence[Table], curves: Sequence[Curve], runs: int, load: Sequence[float]) -> str:
    """Return the page.

    Args:
        tables: What was compared.
        curves: What was drawn.
        runs: How often each program ran.
        load: Load average of the machine during the run, at its start and at its end.
    """
    return "\n".join(
        [*_head(runs, load), *(line for table in tables for line in _table(table)), *_drawn(curves)]
    )


HOW = (
    "`make bench` measures ckptkit beside what people use today and writes this page. Each program runs in a "
    "process of its own, start-up and imports included, in turn with the others on "
    "the same files, which are in "
    "the page cache; the figures are medians of {runs} run{more} (half as many for many "
    "files and for the curves). The "
    "ratio is a program's wall time over that of the first line: above 1, the first "
    "line is faster. Processor "
    "time counts the processes that a program started, too."
)
LOADED = (
    "**The machine was busy with other work during this run** (load average "
    "{first:.1f} at its start, {last:.1f} "
    "at its end, on {cores} cores). Wall times are therefore much longer than on an "
    "idle machine, for all programs, "
    "they scatter, and what uses several cores gains little from them. Processor "
    "times are the better measure here."
)


def _head(runs: int, load: Sequence[float]) -> Iterator[str]:
    cores = os.cpu_count() or 1
    where = f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"
    yield "# Benchmarks\n"
    yield fill(HOW.format(runs=runs, more="s" * (runs > 1)), WIDTH)
    yield ""
    yield fill(f"Measured on {datetime.now(UTC).date()}: {where}, {', '.join(_versions())}.", WIDTH)
    yield ""
    if load[0] > BUSY * cores:  # what it is at the end is the programs' own
        yield fill(LOADED.format(first=load[0], last=load[-1], cores=cores), WIDTH)
        yield ""


def _versions() -> Iterator[str]:
    for name in OURS:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    peers = os.environ.get(PEERS_VARIABLE)
    found = sorted(Path(peers).glob("lib/python*/site-packages/*.dist-info")) if peers else []
    for name, release in (each.stem.split("-")[:2] for each in found):
        if name.replace("_", "-") in PEERS:
            yield f"{name.replace('_', '-')} {release}"


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.title}"
    yield ""
    if table.note:
        yield fill(table.note, WIDTH)
        yield ""
    yield "| program | wall s | ratio | processor s | peak MB |"
    yield "|---|---:|---:|---:|---:|"
    first = table.median(next(iter(table.runs))).seconds
    for program in table.runs:
        run = table.median(program)
        yield (
            f"| {program} | {run.seconds:.2f} | {run.seconds / first:.2f} | {run.processor:.2f} "
            f"| {run.megabytes:,.0f} |"
        )
    for program, why in table.why_not.items():
        yield f"| {program} | {why} | | | |"
    yield ""


def _drawn(curves: Sequence[Curve]) -> Iterator[str]:
    if not curves:
        return
    yield "## How it grows"
    yield ""
    for curve in curves:
        yield f"![{curve.title}: seconds over {curve.axis}](benchmarks-{curve.name}.svg)"
        yield ""


def said(text: str) -> None:
    """Print what stands on the page, for a run that writes none."""
    sys.stdout.write(text)
