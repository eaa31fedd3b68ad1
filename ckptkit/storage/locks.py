"""Locks that end with the process that holds them."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Lock:
    """An exclusive lock on a file or directory, taken if nobody holds it.

    Attributes:
        held: Whether it was free and is held now.
    """

    __slots__ = ("_descriptor", "held")

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        self.held = False
        if os.name != "posix":
            return  # without such locks nothing is ever taken for a leftover
        fcntl = importlib.import_module("fcntl")
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have renamed it meanwhile, and another stands at `path` now.
            self.held = os.path.samestat(os.fstat(self._descriptor), path.lstat())
        except OSError:
            self.held = False
        if not self.held:
            self.release()

    def release(self) -> None:
        """Give the lock back; does nothing where it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self.held = False


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait until no other run works on `path`, and keep others waiting until the block ends.

    Where the system has no such locks the block runs all the same: each of its steps is atomic.
    """
    descriptor = -1
    with suppress(OSError):
        if os.name == "posix":
            fcntl = importlib.import_module("fcntl")
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
