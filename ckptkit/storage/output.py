"""Files that are being written."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

_SEND_BYTES = 64 << 20
"""Written bytes are sent to the disk in runs of this size, so that little is left for the end."""
_GATHER_BYTES = 64 << 10
"""Pieces up to this size wait until there are `_HELD_BYTES` of them: a call of the system costs more."""
_HELD_BYTES = 1 << 20
_READ_BYTES = 4 << 20


class Output:
    """A file that takes pieces in order; small ones are gathered.

    A full disk shows in the write that meets it, or in the next `flush`, and a write that the system
    cuts short goes on.

    Attributes:
        size: Bytes that were given.
        flushed: Bytes that are in the file.
    """

    __slots__ = ("_held", "_raw", "_sha256", "flushed", "size")

    def __init__(self, raw: FileIO) -> None:
        self._raw = raw
        self._held = bytearray()
        self._sha256 = ""
        self.size = self.flushed = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Append `piece`; it may be changed afterwards."""
        self.size += len(piece)
        self._sha256 = ""
        if len(piece) <= _GATHER_BYTES:
            self._held += piece
            if len(self._held) >= _HELD_BYTES:
                self.flush()
        else:
            self.flush()
            self._append(piece)

    def flush(self) -> None:
        """Bring what was gathered into the file."""
        if self._held:
            held, self._held = self._held, bytearray()
            self._append(held)

    def _append(self, piece: bytes | bytearray | memoryview) -> None:
        self._put(piece)
        start = self.flushed // _SEND_BYTES
        self.flushed += len(piece)
        runs = self.flushed // _SEND_BYTES - start
        if runs and hasattr(os, "posix_fadvise"):
            # For pages that are not on disk yet, Linux takes this advice as: begin to write them now.
            self._advise(start * _SEND_BYTES, runs * _SEND_BYTES)

    def _advise(self, offset: int, length: int) -> None:
        with suppress(OSError):  # advice is no promise; some file systems take none
            os.posix_fadvise(self._raw.fileno(), offset, length, os.POSIX_FADV_DONTNEED)

    def _put(self, piece: bytes | bytearray | memoryview) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[self._raw.write(rest) :]

    def patch(self, offset: int, piece: bytes) -> None:
        """Overwrite bytes that have been written already."""
        self.flush()
        self._sha256 = ""
        self._raw.seek(offset)
        self._put(piece)
        self._raw.seek(self.flushed)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes that have been written; fewer than `length` at the end."""
        self.flush()
        return os.pread(self._raw.fileno(), length, offset)

    def sha256(self) -> str:
        """Return the hex sha256 of all that was given, which is read back once."""
        if not self._sha256:
            digest = hashlib.sha256()
            for at in range(0, self.size, _READ_BYTES):
                digest.update(self.read(at, _READ_BYTES))
            self._sha256 = digest.hexdigest()
        return self._sha256

    def readinto(self, offset: int, buffer: memoryview) -> int:
        """Read bytes that are in the file, beside a thread that writes; return how many."""
        return os.preadv(self._raw.fileno(), [buffer], offset)

    def sync(self) -> None:
        """Bring everything to disk."""
        self.flush()
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
