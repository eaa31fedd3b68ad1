"""Locks that end with the process that holds them."""

import importlib
import os
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
        except OSError:
            self.release()
            return
        self.held = True

    def release(self) -> None:
        """Give the lock back; does nothing where it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self.held = False
