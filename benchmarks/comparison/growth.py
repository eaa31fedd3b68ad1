"""How the cost of a piece of work grows, measured at several sizes and drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison import inputs, programs
from benchmarks.comparison.measuring import Command, empty, in_turn
from benchmarks.comparison.programs import ours, python


@dataclass(frozen=True, slots=True)
class Curve:
    """Seconds over a size.

    Attributes:
        name: File name of the picture.
        title: What was done.
        axis: What grows, with its unit.
        sizes: Where it was measured.
        seconds: Medians by program, one a size.
    """

    name: str
    title: str
    axis: str
    sizes: Sequence[int]
    seconds: Mapping[str, Sequence[float]]


def curves(folder: Path, runs: int) -> list[Curve]:
    """Measure conversion over bytes and over tensors, and looking over files."""
    out = folder / "grown"
    by_size, by_tensors, by_files = (50, 200, 800), (100, 1_000, 10_000), (10, 50, 200)
    return [
        _curve(
            ("size", "Convert a torch zip of 8 tensors", "megabytes"),
            {size: _converted(folder, out, f"few{size}.pt", 8, size * 1_000_000 // 32) for size in by_size},
            runs,
            out,
        ),
        _curve(
            ("tensors", "Convert a torch zip of tensors of 4 KB", "tensors"),
            {count: _converted(folder, out, f"many{count}.pt", count, 1024) for count in by_tensors},
            runs,
            out,
        ),
        _curve(
            ("files", "Look at agents in one call", "files"),
            {count: _looked_at(folder, count) for count in by_files},
            runs,
            out,
        ),
    ]


def _converted(folder: Path, out: Path, name: str, tensors: int, elements: int) -> dict[str, Command]:
    source = inputs.torch_zip(folder / name, tensors, elements)
    return {
        "ckptkit convert": ours("convert", source, "--to", "deploy", "-o", out / "bundle"),
        "torch.load(mmap=True) + save_file": python(programs.SAVE_FILE, source, out / "file", "mmap"),
        "copy": python(programs.COPY, source, out / "file"),
    }


def _looked_at(folder: Path, count: int) -> dict[str, Command]:
    many = inputs.copies(inputs.agent(folder / "ppo.zip"), folder / f"agents{count}", count)
    return {
        "ckptkit inspect": ours("inspect", *sorted(many.rglob("*.zip"))),
        "PPO.load": python(programs.SB3_LOAD, many, "PPO"),
    }


def _curve(
    words: tuple[str, str, str], commands: Mapping[int, Mapping[str, Command]], runs: int, out: Path
) -> Curve:
    name, title, axis = words
    found: dict[str, list[float]] = {}
    for size, programs_ in commands.items():
        table = in_turn(f"{title}: {size} {axis}", programs_, runs, before=empty(out))
        for program in table.runs:
            found.setdefault(program, []).append(table.median(program).seconds)
    return Curve(name, title, axis, tuple(commands), found)


def draw(curve: Curve, folder: Path) -> Path:
    """Write a curve as SVG, the same bytes for the same figures."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "ckptkit", "svg.fonttype": "none", "font.family": "sans-serif"})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for program, seconds in curve.seconds.items():
        axes.plot(curve.sizes, seconds, marker="o", label=program)
    axes.set(title=curve.title, xlabel=curve.axis, ylabel="seconds", xscale="log", yscale="log")
    axes.set_xticks(curve.sizes, [f"{size:,}" for size in curve.sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path = folder / f"benchmarks-{curve.name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    text = "\n".join(line.rstrip() for line in path.read_text().splitlines())
    path.write_text(f"{text}\n")
    return path
