"""Convert a large torch zip, beside torch and safetensors doing the same, each in a process of its own.

    python benchmarks/bench_convert.py [--megabytes 1600] [--runs 3] [--to deploy|v2] [--folder DIR]

Wall time and peak resident memory are those of the whole process, start-up and imports included. Both
read the file from the page cache and write to the same disk; ckptkit also hashes every tensor, the file
and the source, and brings the result to disk, which the other does not. So a second line gives the time
of the other with an fsync behind it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TENSORS = 8

MAKE = """
import sys, torch
path, count, elements = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(0)
torch.save({f"layers.{i}.weight": torch.randn(elements // 1024, 1024) for i in range(count)}, path)
"""
REFERENCE = """
import os, sys, torch
from safetensors.torch import save_file
save_file(torch.load(sys.argv[1], weights_only=True, mmap=True), sys.argv[2])
if sys.argv[3] == "fsync":
    descriptor = os.open(sys.argv[2], os.O_RDONLY)
    os.fsync(descriptor)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process: seconds of wall time and of processor time, and peak resident megabytes."""

    seconds: float
    processor: float
    megabytes: float


def measure(*arguments: str) -> Run:
    """Run a Python process to its end."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments[:3]} ended with {process.returncode}")
    # Linux counts kilobytes, macOS bytes.
    peak = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a conversion with torch and safetensors.")
    parser.add_argument("--megabytes", type=int, default=1600)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--to", default="deploy", choices=("deploy", "v2"))
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source = folder / "source.pt"
        elements = options.megabytes * 1_000_000 // 4 // TENSORS
        measure("-c", MAKE, str(source), str(TENSORS), str(elements))
        print(f"source    {source.stat().st_size:,} bytes, {TENSORS} tensors, torch zip")
        commands = {
            "ckptkit": ["-m", "ckptkit", "convert", str(source), "--to", options.to, "--force", "-o"],
            "torch": ["-c", REFERENCE, str(source)],
            "torch+fsync": ["-c", REFERENCE, str(source)],
        }
        tails = {"ckptkit": [], "torch": ["no"], "torch+fsync": ["fsync"]}
        runs: dict[str, list[Run]] = {label: [] for label in commands}
        for _ in range(options.runs):  # in turn, so that what else the machine does hits all alike
            for label, command in commands.items():
                runs[label].append(one_run(folder, label, command, tails[label]))
        best = {label: min(made, key=lambda run: run.seconds) for label, made in runs.items()}
        for label, made in runs.items():
            peak = max(run.megabytes for run in made)
            times = " ".join(f"{run.seconds:.2f}" for run in made)
            used = min(run.processor for run in made)
            print(
                f"{label:<12} best {best[label].seconds:6.2f} s of {times}   processor {used:5.2f} s   "
                f"peak {peak:7.1f} MB resident"
            )
        for label in ("torch", "torch+fsync"):
            print(f"{label} / ckptkit  {best[label].seconds / best['ckptkit'].seconds:.2f} times the time")


def one_run(folder: Path, label: str, command: list[str], tail: list[str]) -> Run:
    """Measure a command on a clean target, after what earlier ones wrote has reached the disk."""
    target = folder / f"out-{label}"
    os.sync()
    run = measure(*command, str(target), *tail)
    for path in sorted(target.iterdir()) if target.is_dir() else [target]:
        path.unlink()
    if target.is_dir():
        target.rmdir()
    return run


if __name__ == "__main__":
    main()
