"""Sources of bytes: a file, a window of another source, and bytes in memory."""

import os
import stat
from collections.abc import Callable
from typing import Self

from ckptkit.errors import InaccessibleError, NotACheckpointError, UnreadableCheckpointError
from ckptkit.model.source import Mapped, Source, mapped, read_into


class FileSource:
    """A regular file, read with `pread` so that no page of it stays mapped.

    The file is opened for reading only, on construction, and closed when the object goes.
    """

    __slots__ = ("_descriptor", "_written", "name", "size")

    def __init__(self, path: str | os.PathLike[str], name: str = "") -> None:
        """Open `path`.

        Raises:
            NotACheckpointError: There is no such file, or it is no regular file.
            InaccessibleError: The system does not let it be read.
        """
        self._descriptor = -1
        self.name = name or os.fspath(path)
        try:
            # O_NONBLOCK: opening a FIFO must not wait for a writer.
            self._descriptor = os.open(
                path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            )
        except FileNotFoundError as error:
            raise NotACheckpointError("no such file", where=self.name) from error
        except OSError as error:
            raise InaccessibleError(f"cannot be opened: {error.strerror}", where=self.name) from error
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotACheckpointError("is not a regular file", where=self.name)
        self.size, self._written = status.st_size, status.st_mtime_ns

    @classmethod
    def opened(cls, descriptor: int, name: str) -> Self:
        """Take a regular file that is open already; it is closed with the object."""
        made = cls.__new__(cls)
        made._descriptor, made.name = descriptor, name  # noqa: SLF001 - its own
        status = os.fstat(descriptor)
        made.size, made._written = status.st_size, status.st_mtime_ns  # noqa: SLF001
        return made

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; see `model.source.Source`."""
        if offset < 0 or length < 0 or offset + length > self.size:
            check_range(self, offset, length)
        try:
            data = os.pread(self._descriptor, length, offset)
            return data if len(data) == length else self._read_rest(data, offset, length)
        except OSError as error:
            raise InaccessibleError(f"cannot be read: {error.strerror}", where=self.name) from error

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes at `offset`; see `model.source.read_into`."""
        check_range(self, offset, len(buffer))
        have = 0
        try:
            while have < len(buffer):
                got = os.preadv(self._descriptor, [buffer[have:]], offset + have)
                if not got:
                    raise self._shorter()
                have += got
        except OSError as error:
            raise InaccessibleError(f"cannot be read: {error.strerror}", where=self.name) from error

    def mapped(self, offset: int, length: int, writable: bool) -> Mapped | None:
        """Map the pages on which the bytes at `offset` lie; see `model.source.mapped`."""
        check_range(self, offset, length)
        self.refuse_changed()
        import mmap

        before = offset % mmap.ALLOCATIONGRANULARITY
        access = mmap.ACCESS_COPY if writable else mmap.ACCESS_READ
        try:
            pages = mmap.mmap(self._descriptor, before + length, access=access, offset=offset - before)
        except (OSError, ValueError):
            return None  # a file system that maps nothing, or a file that became shorter: reading says which
        return Mapped(memoryview(pages)[before:], before)

    def refuse_changed(self) -> None:
        """Refuse a file that was written to since it was opened: what was read may be parts of two.

        A file that another one was renamed over, or that was removed, is still the one that is open.

        Raises:
            UnreadableCheckpointError: It was written to.
        """
        status = os.fstat(self._descriptor)
        if status.st_size < self.size:
            raise self._shorter()
        if (status.st_size, status.st_mtime_ns) != (self.size, self._written):
            raise UnreadableCheckpointError(
                "was written to since it was opened", where=self.name, fix="read it again when it is complete"
            )

    def _shorter(self) -> UnreadableCheckpointError:
        return UnreadableCheckpointError("the file became shorter since it was opened", where=self.name)

    def _read_rest(self, data: bytes, offset: int, length: int) -> bytes:
        """Finish a read that the system cut short (it returns at most 2 GiB at once)."""
        parts = [data]
        have = len(data)
        while have < length:
            part = os.pread(self._descriptor, length - have, offset + have)
            if not part:
                raise self._shorter()
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the file; further reads fail."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self, closing: Callable[[int], None] = os.close) -> None:
        # Bound early: modules may be gone when the interpreter ends.
        if self._descriptor >= 0:
            closing(self._descriptor)


class Window:
    """A part of another source."""

    __slots__ = ("_parent", "_start", "name", "size")

    def __init__(self, parent: Source, start: int, size: int, name: str = "") -> None:
        self.name = name or parent.name
        if start < 0 or size < 0 or start + size > parent.size:
            raise UnreadableCheckpointError(
                f"bytes {start} to {start + size} lie outside its {parent.size} bytes", where=self.name
            )
        self._parent, self._start, self.size = parent, start, size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; see `model.source.Source`."""
        check_range(self, offset, length)
        return self._parent.read(self._start + offset, length)

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes at `offset`; see `model.source.read_into`."""
        check_range(self, offset, len(buffer))
        read_into(self._parent, self._start + offset, buffer)

    def mapped(self, offset: int, length: int, writable: bool) -> Mapped | None:
        """Map the bytes at `offset`; see `model.source.mapped`."""
        check_range(self, offset, length)
        return mapped(self._parent, self._start + offset, length, writable=writable)


class MemorySource:
    """Bytes that are in memory already."""

    __slots__ = ("_data", "name", "size")

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self.name, self.size = data, name, len(data)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; see `model.source.Source`."""
        check_range(self, offset, length)
        return self._data[offset : offset + length]


def check_range(source: Source, offset: int, length: int) -> None:
    """Refuse a read that is not wholly inside `source`.

    Raises:
        UnreadableCheckpointError: The range leaves the source.
    """
    if offset < 0 or length < 0 or offset + length > source.size:
        raise UnreadableCheckpointError(
            f"needs bytes {offset} to {offset + length}, but it has {source.size}: truncated or corrupt",
            where=source.name,
        )
