"""Score the zoo, print the table, and write it where asked.

python -m benchmarks.recovery [--every N] [--kind WORD] [--failures] [-o docs/recovery-scorecard.md]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.recovery.case import Case, loads
from benchmarks.recovery.score import scored
from benchmarks.recovery.table import document, table


def main() -> None:
    parser = argparse.ArgumentParser(description="Score what ckptkit says of networks that are known.")
    parser.add_argument("--every", type=int, default=1, help="take each N-th network of a kind")
    parser.add_argument("--kind", default="", help="take the kinds with this word in their name")
    parser.add_argument("--failures", action="store_true", help="list what is not as it has to be")
    parser.add_argument("-o", "--output", type=Path, help="write the table as a document")
    options = parser.parse_args()
    cases = generated(options.every, options.kind)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = scored(cases, Path(folder))
    if "torch" in sys.modules:
        raise SystemExit("torch was imported while files were recovered")
    print(table(outcomes))
    if options.failures:
        for one in outcomes:
            for line in one.failures:
                print(f"{one.case.id}: {line}")
    if options.output:
        options.output.write_text(document(outcomes), encoding="utf-8")


def generated(every: int, kind: str) -> list[Case]:
    """Return the zoo, made in a process of its own so that torch stays out of this one."""
    command = [sys.executable, "-m", "benchmarks.recovery.zoo", "--every", str(every), "--kind", kind]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [loads(line) for line in lines.splitlines()]


if __name__ == "__main__":
    main()
