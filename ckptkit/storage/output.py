"""Files that are being written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path


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
        self.size += len(piece)

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
