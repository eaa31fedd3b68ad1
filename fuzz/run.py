"""Fuzzes targets one after the other: `python -m fuzz.run [--seconds N] [--out FOLDER] [TARGET…]`."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.make_corpus import write
from fuzz.targets import TARGETS

_EDGES = re.compile(rb"^#\d+\s.*\bcov: (\d+)", re.MULTILINE)
_RUNS = re.compile(rb"^stat::number_of_executed_units: (\d+)", re.MULTILINE)


def main() -> int:
    """Fuzz, and say for each target what was executed, covered and found; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if left out"
    )
    parser.add_argument("--seconds", type=int, default=60, help="time for each target")
    parser.add_argument("--out", type=Path, default=Path("out", "fuzz"), help="for seeds, finds and logs")
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}")
    write(chosen.out)
    return max([_fuzzed(target, chosen.out / target, chosen.seconds) for target in chosen.targets or TARGETS])


def _fuzzed(target: str, folder: Path, seconds: int) -> int:
    log = folder / "log"
    # libFuzzer ends the process without a word to Python, which could then remove nothing.
    with log.open("wb") as file, tempfile.TemporaryDirectory(prefix="ckptkit-fuzz-", dir=_memory()) as place:
        command = [sys.executable, "-m", "fuzz.harness", target, str(folder), str(seconds)]
        status = subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, check=False, env=os.environ | {"TMPDIR": place}
        ).returncode
    text = log.read_bytes()
    runs, edges = _RUNS.findall(text), _EDGES.findall(text)
    crashes = sorted(path.name for path in folder.glob("crashes/*"))
    found = ", ".join(crashes) or "nothing"
    ended = f" (ended with status {status}, see {log})" if status else ""
    sys.stdout.write(
        f"{target}: {int(runs[-1]) if runs else 0} inputs in {seconds} s, "
        f"{int(edges[-1]) if edges else 0} edges, found {found}{ended}\n"
    )
    sys.stdout.flush()
    return int(bool(crashes or status))


def _memory() -> str | None:
    """Return a folder that is in memory, where the system has one: the manifest target writes each input."""
    shared = "/dev/shm"  # noqa: S108 - what is made there has a name of its own
    return shared if os.access(shared, os.W_OK) else None


if __name__ == "__main__":
    sys.exit(main())
