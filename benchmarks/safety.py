"""Compare what scanners say of hostile and benign files, and write `docs/safety.md`.

    python benchmarks/safety.py --peers DIR [-o docs/safety.md]

DIR (or CKPTKIT_PEERS) holds the executables of picklescan, fickling and modelscan, such as the `bin` of an
environment into which they were installed. What is not there is not run, and the page says so. Each file is
given to each program in a process of its own, as its users do, and judged by the exit status.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.safety_files import FIXTURES, benign, checklist, hostile

FLAGGED, CLEAN, NOTHING, UNREAD = "flagged", "clean", "clean, 0 files", "not read"
AGENTS = 100
TIMED_RUNS = 5


@dataclass(frozen=True, slots=True)
class Program:
    """A program that looks into files.

    Attributes:
        name: As its users know it.
        command: Words before the path.
        version: As it states itself; empty where it was not found.
    """

    name: str
    command: tuple[str, ...]
    version: str = ""

    def judge(self, path: Path) -> str:
        """Return what it says of a file."""
        # Some write a report into the current folder.
        run = subprocess.run(
            [*self.command, str(path)], cwd=path.parent, capture_output=True, text=True, check=False
        )
        if "Traceback (most recent call last)" in run.stderr:
            return UNREAD
        if run.returncode == 0 and "Scanned files: 0" in run.stdout:
            return NOTHING
        if self.name == "ckptkit" and run.returncode == 2 and "unsafe" in run.stdout:
            return f"{FLAGGED}, {UNREAD} to its end"
        return {0: CLEAN, 1: FLAGGED}.get(run.returncode, UNREAD)


def programs(peers: Path | None) -> list[Program]:
    found = [
        Program("picklescan", ("picklescan", "-p")),
        Program("fickling", ("fickling", "--check-safety")),
        Program("modelscan", ("modelscan", "-p")),
    ]
    ours = [sys.executable, "-m", "ckptkit", "scan", "--brief"]
    return [*(located(one, peers) for one in found), Program("ckptkit", tuple(ours), version_of_ours())]


def located(program: Program, peers: Path | None) -> Program:
    executable = None if peers is None else shutil.which(program.name, path=str(peers))
    if executable is None or peers is None:
        return program
    code = f"import importlib.metadata as m; print(m.version({program.name!r}))"
    run = subprocess.run([str(peers / "python"), "-c", code], capture_output=True, text=True, check=False)
    return Program(program.name, (executable, *program.command[1:]), run.stdout.strip())


def version_of_ours() -> str:
    from ckptkit import __version__

    return __version__


def best(program: Program, path: Path) -> float:
    """Return the shortest wall time of some runs, in seconds."""
    times = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        subprocess.run([*program.command, str(path)], capture_output=True, check=False)
        times.append(time.perf_counter() - start)
    return min(times)


def agents(folder: Path) -> Path:
    """Fill a folder with the agents of the fixtures, each many times."""
    folder.mkdir()
    known = sorted((FIXTURES / "sb3").glob("*/*.zip"))
    for number in range(AGENTS):
        shutil.copy(known[number % len(known)], folder / f"{number:03}.zip")
    return folder


def written(files: Iterator[tuple[str, str, bytes]], folder: Path) -> list[tuple[str, str, Path]]:
    found = []
    for name, what, data in files:
        (folder / name).write_bytes(data)
        found.append((name, what, folder / name))
    return found


def table(files: list[tuple[str, str, Path]], known: list[Program]) -> list[str]:
    rows = [
        f"| file | what it is | {' | '.join(one.name for one in known)} |",
        "|---|---|" + "---|" * len(known),
    ]
    for name, what, path in files:
        said = [one.judge(path) for one in known]
        text = what.replace("|", "or")
        rows.append(f"| `{name}` | {text} | {' | '.join(said)} |")
        print(name, said, file=sys.stderr)
    return rows


def count(rows: list[str], word: str, column: int) -> int:
    return sum(1 for row in rows[2:] if row.split(" | ")[2 + column].strip(" |").startswith(word))


def page(peers: Path | None) -> str:
    listed = programs(peers)
    known = [one for one in listed if one.version]
    missing = [one.name for one in listed if not one.version]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bad = table(written(hostile(), folder), known)
        good = table(written(benign(), folder), known)
        more = table(list(checklist(folder / "checklist")), known)
        timed = [
            (one, best(one, agents(folder / one.name)))
            for one in known
            if one.name in ("picklescan", "ckptkit")
        ]
    tally = [
        f"| {one.name} {one.version} | {count(bad, FLAGGED, i)} of {len(bad) - 2} | {count(bad, CLEAN, i)} | "
        f"{count(more, CLEAN, i)} of {len(more) - 2} | {count(good, FLAGGED, i)} of {len(good) - 2} | "
        f"{count(good, UNREAD, i)} |"
        for i, one in enumerate(known)
    ]
    times = [f"| {one.name} | {seconds:.2f} s |" for one, seconds in timed]
    parts = {
        "date": datetime.now(UTC).date().isoformat(),
        "tally": "\n".join(tally),
        "hostile": "\n".join(bad),
        "checklist": "\n".join(more),
        "load": f"{os.getloadavg()[0]:.1f}",
        "cores": str(os.cpu_count() or 1),
        "benign": "\n".join(good),
        "times": "\n".join(times),
        "missing": f"Not run, because they were not installed: {', '.join(missing)}. " if missing else "",
    }
    return (Path(__file__).parent / "safety.md.template").read_text(encoding="utf-8").format(**parts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare scanners, and write docs/safety.md.")
    parser.add_argument(
        "--peers", type=Path, default=os.environ.get("CKPTKIT_PEERS"), help="folder of executables"
    )
    parser.add_argument("-o", "--output", type=Path, help="write the page to a file instead of printing it")
    options = parser.parse_args()
    text = page(None if options.peers is None else Path(options.peers))
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
