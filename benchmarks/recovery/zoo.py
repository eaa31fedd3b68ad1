"""The zoo: every network of every `networks_*.py`, as made and changed.

python -m benchmarks.recovery.zoo [--every N] [--kind WORD]   # a case as JSON on each line
"""

import argparse
import importlib
import pkgutil
import sys
from collections import Counter
from collections.abc import Iterator

import benchmarks.recovery
from benchmarks.recovery.case import Case, case, dumps
from benchmarks.recovery.network import Network
from benchmarks.recovery.variants import variants


def networks() -> Iterator[Network]:
    """Yield every network, kind by kind."""
    for found in pkgutil.iter_modules(benchmarks.recovery.__path__):
        if found.name.startswith("networks_"):
            yield from importlib.import_module(f"benchmarks.recovery.{found.name}").networks()


def cases(every: int = 1, kind: str = "") -> Iterator[Case]:
    """Yield the files of the zoo, the same ones in the same order each time.

    Args:
        every: Take each `every`-th network of a kind.
        kind: Take the kinds that have this word in their name.
    """
    seen: Counter[str] = Counter()
    for network in networks():
        number = seen[network.kind]
        seen[network.kind] += 1
        if kind in network.kind and number % every == 0:
            for variant in variants(network, f"{network.kind} {number}"):
                yield case(network, number, variant)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the zoo as JSON lines.")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--kind", default="")
    options = parser.parse_args()
    for one in cases(options.every, options.kind):
        sys.stdout.write(dumps(one) + "\n")


if __name__ == "__main__":
    main()
