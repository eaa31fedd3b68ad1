"""Runs one target under atheris: `python -m fuzz.harness TARGET FOLDER SECONDS`.

An exception other than `CkptkitError`, more than 512 MiB, or more than 5 s is a crash. Its input is written
to `FOLDER/crashes` under the kind and the place of the crash, once for each, and fuzzing goes on.
"""

import hashlib
import importlib
import pkgutil
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris

MOST_SECONDS = 5
MOST_MEMORY = 512 << 20
OWN_CHANGES = 0.5
"""Share of inputs that are changed with regard to their format (`mutation`)."""
REACHED = {"checks", "graph", "layers", "model", "readers", "recovery", "schema", "storage"}
"""Packages of ckptkit that targets run, some of whose modules are found at run time."""
HANG_SECONDS = 120
"""Wall time after which libFuzzer ends the run; much more than MOST_SECONDS, for machines with other work."""


class Watched:
    """A target whose crashes are written down."""

    def __init__(self, run: Callable[[bytes], None], expected: type[Exception], folder: Path) -> None:
        self._run, self._expected, self._folder = run, expected, folder
        self._seen: set[str] = set()

    def __call__(self, data: bytes) -> None:
        """Run the target on one input."""
        before = time.process_time()
        try:
            self._run(data)
        except self._expected:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            self._write(data, _place(error), "".join(traceback.format_exception(error)))
        spent = time.process_time() - before
        if spent > MOST_SECONDS:
            self._write(data, "slow", f"{spent:.1f} s\n")

    def _write(self, data: bytes, kind: str, story: str) -> None:
        if kind in self._seen:
            return
        self._seen.add(kind)
        name = f"{kind}-{hashlib.sha256(data).hexdigest()[:8]}"
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(data)
        sys.stderr.write(f"CRASH {name}\n{story}")


def _place(error: BaseException) -> str:
    """Say what was raised and in which line, in a form that is a file name."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "ckptkit" in frame.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}-{Path(last.filename).stem}-{last.lineno}"


def _import_all() -> None:
    """Import what targets would find at their first run: what is imported later steers nothing."""
    import ckptkit

    for found in pkgutil.walk_packages(ckptkit.__path__, f"{ckptkit.__name__}."):
        if found.name.split(".")[1] in REACHED:
            importlib.import_module(found.name)


def _bound_memory() -> None:
    """Make allocations beyond the bound fail, as a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(arguments: list[str]) -> None:
    """Fuzz a target for a time."""
    target, folder, seconds = arguments[0], Path(arguments[1]), int(arguments[2])
    with atheris.instrument_imports(include=["ckptkit"]):
        from ckptkit.errors import CkptkitError
        from fuzz.targets import TARGETS

        _import_all()
    from fuzz.mutation import mutated

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        """Leave half of the changes to libFuzzer, which learns from coverage."""
        random = Random(seed)
        if random.random() < OWN_CHANGES:
            return mutated(target, data, random)[:most]
        changed: bytes = atheris.Mutate(data, most)
        return changed

    found = folder / "found"
    found.mkdir(parents=True, exist_ok=True)
    watched = Watched(TARGETS[target], CkptkitError, folder / "crashes")
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={HANG_SECONDS}",
        "-rss_limit_mb=0",
        "-max_len=32768",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(folder / "seeds")], watched, custom_mutator=mutate)
    _bound_memory()
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
