"""Stops a writer at each of its steps: `python -m tests.faults.driver FOLDER WRITER FAULT…`.

Each run is a fork of this process, which has imported everything and has no threads. Prints one JSON object
with the calls of a run without faults and with what was wrong.
"""

import errno
import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ckptkit import api
from ckptkit.errors import CkptkitError
from ckptkit.storage.atomic import new_file
from ckptkit.storage.replacing import BACKUP
from tests.faults.layer import INTERRUPT, KILL, Faults, injected
from tests.faults.upkeep import UPKEEP
from tests.faults.writers import WRITERS, Writer

FAULTS = {
    "kill": (KILL, False),
    "interrupt": (INTERRUPT, False),
    "full": (errno.ENOSPC, True),
    "broken": (errno.EIO, False),
    "forbidden": (errno.EACCES, True),
}
"""By name: the error and whether it lasts."""
DONE, REFUSED, NOTHING_WRITTEN, INTERRUPTED, CRASHED = 0, 3, 4, 5, 6
"""Exit statuses of a run."""
SECONDS = 60
"""After which a run hangs."""
NOTHING = "nothing was written"
MIX = "CK116"
OTHER = "other"
"""A file that the next run writes."""

State = Mapping[str, str]


def state(folder: Path) -> State:
    """Return the sha256 of every file below a folder by relative path; folders and links by what they are."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def shown(found: State) -> State:
    """Return what is not a leftover."""
    return {name: what for name, what in found.items() if not name.startswith(".") and "/." not in name}


def forked(act: Callable[[], object]) -> int:
    """Carry something out in a child; return its exit status, negative for the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = CRASHED
    signal.alarm(SECONDS)
    try:
        act()
        status = DONE
    except CkptkitError as error:
        status = NOTHING_WRITTEN if NOTHING in error.what else REFUSED
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BaseException:  # noqa: BLE001 - it must not go on as a second parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


@dataclass
class Driver:
    """One writer in a folder of its own.

    Attributes:
        writer: What is stopped.
        root: Where it works.
        problems: What was wrong, one line each.
        mixes: How often files that belong together were left mixed, until the next run.
    """

    writer: Writer
    root: Path
    problems: list[str]
    mixes: int = 0

    def prepared(self, origin: Path) -> None:
        """Let the folder be as it was before."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(origin, self.root, symlinks=True)

    def run(self, faults: Faults, log: Path) -> int:
        """Let the writer run in a child, with faults; the calls go into a file."""

        def act() -> None:
            try:
                with injected(faults):
                    self.writer.write(self.root)
            finally:
                log.write_text(json.dumps(faults.calls))

        return forked(act)

    def drive(self, names: list[str], work: Path) -> list[str]:
        """Stop the writer by each fault at each of its calls; return the calls of a run without one."""
        origin, log = work / "origin", work / "calls.json"
        origin.mkdir()
        self.writer.prepare(origin)
        self.prepared(origin)
        self.writer.write(self.root)  # imports what it needs once, and not in each fork
        self.prepared(origin)
        before = state(self.root)
        assert self.run(Faults(self.root), log) == DONE, "fails without a fault"
        calls: list[str] = json.loads(log.read_text())
        after = state(self.root)
        for name in names:
            fault, lasting = FAULTS[name]
            for at in range(len(calls)):
                self.prepared(origin)
                faults = Faults(self.root, at, fault, lasting)
                status = self.run(faults, log)
                wrong = self.judge(name, status, before, after)
                self.problems += [f"{name} at {at} ({calls[at]}): {line}" for line in wrong]
        return calls

    def judge(self, name: str, status: int, before: State, after: State) -> list[str]:
        """Say what is wrong after a run that was stopped, and after the one that follows it."""
        now = shown(state(self.root))
        wrong = [] if self.allowed(now, before, after) else self.unfinished(status, now, before, after)
        if status == DONE and now != after:
            wrong.append("said to be done, and is not")
        if status == NOTHING_WRITTEN and now == after and before != after and not self.writer.moves:
            wrong.append(f"said that {NOTHING}, and it was")
        if status == CRASHED or (status < 0 and (name, status) != ("kill", -signal.SIGKILL)):
            wrong.append(f"ended with status {status}")
        try:
            self.writer.check(self.root)
        except (AssertionError, CkptkitError) as error:
            wrong.append(f"does not hold: {error}")
        return wrong + self.next_run(before, after)

    def allowed(self, now: State, before: State, after: State) -> bool:
        """Whether it is the old state or the new; where the source moves, each file of either."""
        if not self.writer.moves:
            return now in (before, after)
        lost = [name for name, what in before.items() if what not in now.values()]
        kept = not lost or not any(name.endswith(BACKUP) for name in after)
        kept = kept and all(now.get(name) == what for name, what in before.items() if after.get(name) == what)
        strange = set(now.values()) - {*before.values(), *after.values()}
        return kept and not strange and bool(now)

    def unfinished(self, status: int, now: State, before: State, after: State) -> list[str]:
        """Say what is wrong with a mix; files that belong together may be one until the next run."""
        seen = {name: {before.get(name), after.get(name)} for name in {*now, *before, *after}}
        mixed = all(now.get(name) in either for name, either in seen.items())
        told = status == REFUSED or status < 0
        if not self.writer.together or not mixed or not told:
            return [f"a mix: {difference(now, before, after)}"]
        self.mixes += 1
        main = self.root / self.writer.together
        silent = main.exists() and MIX not in {found.code for found in api.validate(main).results[0].findings}
        return ["a mix, and validate does not say so"] if silent else []

    def next_run(self, before: State, after: State) -> list[str]:
        """Say what the next run leaves that should have gone."""

        def act() -> None:
            if self.writer.moves:
                self.writer.write(self.root)
                return
            with new_file(self.root / OTHER, force=True) as output:
                output.write(b"")

        if forked(act) != DONE:
            return ["the next run fails"]
        now = dict(state(self.root))
        now.pop(OTHER, None)
        right = now == after if self.writer.moves else now in (before, after)
        return [] if right else [f"the next run leaves {difference(now, before, after)}"]


def difference(now: State, before: State, after: State) -> str:
    """Say in which files a state is neither that of before nor that of after."""
    names = sorted({*now, *before, *after})
    differing = [name for name in names if len({each.get(name) for each in (now, before, after)}) > 1]
    words = {name: "old" if now.get(name) == before.get(name) else "other" for name in differing}
    words |= {name: "new" for name in differing if now.get(name) == after.get(name)}
    return ", ".join(f"{name} is {word}" for name, word in words.items())


def main(folder: str, writer: str, *names: str) -> None:
    """Drive one writer; print what was seen."""
    work = Path(folder)
    chosen = (WRITERS | UPKEEP)[writer]
    if chosen.needs_torch:
        importlib.import_module("torch").set_num_threads(1)
    for module in {"onnxruntime", *([] if chosen.needs_torch else ["torch"])}:
        sys.modules[module] = None  # type: ignore[assignment] # as if it were not installed: it starts threads
    signal.signal(signal.SIGINT, signal.default_int_handler)
    driver = Driver(chosen, work / "at", [])
    calls = driver.drive(list(names), work)
    sys.stdout.write(json.dumps({"calls": calls, "mixes": driver.mixes, "problems": driver.problems}))


if __name__ == "__main__":
    main(*sys.argv[1:])
