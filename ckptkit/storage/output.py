"""Files that are being written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

_SEND_BYTES = 64 << 20
"""Written bytes are sent to the disk in runs of this size, so that little is left for the end."""


class Output:
    """A file that takes whole pieces, without a buffer of its own.

    A full disk shows in the write that meets it, and a write that the system cuts short goes on.
    """

    __slots__ = ("_raw", "size")

    def __init__(self, raw: FileIO) -> None:
        self._raw = raw
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Append `piece`."""
        rest = memoryview(piece)
        while rest:
            rest = rest[self._raw.write(rest) :]
        start = self.size // _SEND_BYTES
        self.size += len(piece)
        runs = self.size // _SEND_BYTES - start
        if runs and hasattr(os, "posix_fadvise"):
            # For pages that are not on disk yet, Linux takes this advice as: begin to write them now.
            self._advise(start * _SEND_BYTES, runs * _SEND_BYTES)

    def _advise(self, offset: int, length: int) -> None:
        with suppress(OSError):  # advice is no promise; some file systems take none
            os.posix_fadvise(self._raw.fileno(), offset, length, os.POSIX_FADV_DONTNEED)

    def patch(self, offset: int, piece: bytes) -> None:
        """Overwrite bytes that have been written already."""
        self._raw.seek(offset)
        rest = memoryview(piece)
        while rest:
            rest = rest[self._raw.write(rest) :]
        self._raw.seek(self.size)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes that have been written; fewer than `length` at the end."""
        self._raw.seek(offset)
        data = self._raw.read(length)
        self._raw.seek(self.size)
        return data

    def sync(self) -> None:
        """Bring everything to disk."""
        os.fsync(self._raw.fileno())


@contextmanager
def create(path: Path, *, exist_ok: bool = False) -> Iterator[Output]:
    """Make a file; when the block ends without an error its bytes are on disk.

    Args:
        path: Of the file.
        exist_ok: Whether an empty file may stand there already.
    """
    with FileIO(path, "r+" if exist_ok else "x+") as raw:
        output = Output(raw)
        yield output
        output.sync()
