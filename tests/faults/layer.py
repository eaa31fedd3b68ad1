"""A layer between Python and the disk: it counts the calls that change something, and lets one go wrong.

Calls with a path are seen by an audit hook, which stands before the call itself. Writes, fsync and renameat2
have no such event; they are wrapped.
"""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

from ckptkit.storage import output, swap

KILL = 0
"""Instead of an error number: the process is killed."""
INTERRUPT = -1
"""Likewise: it gets the signal of Ctrl-C."""
FREES = frozenset(["os.remove", "os.rmdir"])
"""Calls that a full disk does not refuse."""
CHANGES = FREES | {"os.rename", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.utime", "os.truncate"}
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT
BY_NAME = frozenset(["open", "renameat2", *CHANGES])
"""Calls that permissions can refuse."""


@dataclass
class Faults:
    """Which call goes wrong, and what has been called.

    Attributes:
        root: Only calls on paths below it count.
        at: Number of the call from 0; later than any for none.
        fault: An error number, KILL or INTERRUPT.
        lasting: Whether every later call that can meet this error meets it too.
        calls: Names of all calls so far.
        through: Modules of ckptkit that any of them came from, directly or not.
    """

    root: Path
    at: int = sys.maxsize
    fault: int = KILL
    lasting: bool = False
    calls: list[str] = field(default_factory=list)
    through: set[str] = field(default_factory=set)

    def meets(self, call: str) -> bool:
        """Count a call; whether it goes wrong. Does not return where the process is to be killed."""
        number = len(self.calls)
        self.calls.append(call)
        self.through |= _modules()
        if number == self.at or (self.lasting and number > self.at):
            if self.fault == KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == INTERRUPT:
                signal.raise_signal(signal.SIGINT)
                return False
            return self._can_refuse(call)
        return False

    def _can_refuse(self, call: str) -> bool:
        if self.fault == errno.ENOSPC:
            return call not in FREES
        return self.fault != errno.EACCES or call in BY_NAME

    def refuse(self, path: object = None) -> None:
        """Raise what the system raises."""
        raise OSError(self.fault, os.strerror(self.fault), path)


def _modules() -> set[str]:
    """Return the modules of ckptkit that are being run."""
    frame, found = sys._getframe(), set()
    while frame is not None:
        found.add(str(frame.f_globals.get("__name__", "")))
        frame = frame.f_back  # type: ignore[assignment]
    return {name for name in found if name.partition(".")[0] == "ckptkit"}


_active: list[Faults] = []
_state = {"installed": False}


@contextmanager
def injected(faults: Faults) -> Iterator[Faults]:
    """Let calls go wrong until the block ends."""
    if not _state["installed"]:
        sys.addaudithook(_hook)
        _state["installed"] = True
    before = output.FileIO, os.fsync, swap._renameat2, sys.dont_write_bytecode
    output.FileIO, os.fsync, swap._renameat2 = _wrapped(faults, os.fsync, swap._renameat2)
    sys.dont_write_bytecode = True
    _active.append(faults)
    try:
        yield faults
    finally:
        _active.remove(faults)
        output.FileIO, os.fsync, swap._renameat2, sys.dont_write_bytecode = before


def _wrapped(faults: Faults, real_sync: Any, real_rename: Any) -> tuple[Any, Any, Any]:
    def fsync(number: int) -> None:
        if faults.meets("fsync"):
            faults.refuse()
        real_sync(number)

    def renameat2(old: Path, new: Path, flags: int) -> bool:
        if faults.meets("renameat2"):
            faults.refuse(str(new))
        return bool(real_rename(old, new, flags))

    class CutShort(FileIO):
        """A file of which a write that goes wrong has taken a half."""

        def write(self, piece: Any) -> int:
            half = len(piece) // 2 if faults.at == len(faults.calls) else 0
            if half:
                super().write(piece[:half])
            if faults.meets("write"):
                faults.refuse()
            return half + super().write(piece[half:])

    return CutShort, fsync, renameat2


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _active or (event != "open" and event not in CHANGES):
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITE_FLAGS):
        return
    faults, path = _active[-1], arguments[0]
    if isinstance(path, int):
        return
    name = os.fsdecode(str(path))
    # What removes a whole folder names what is in it relative to the folder.
    if Path(name).is_absolute() and not name.startswith(str(faults.root)):
        return
    if faults.meets(event):
        faults.refuse(name)
