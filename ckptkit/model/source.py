"""Where bytes come from, as the rest of the package sees it."""

from typing import Protocol


class Source(Protocol):
    """Random access to a fixed number of bytes."""

    @property
    def name(self) -> str:
        """What messages call these bytes: a path, or `path:member`."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes that start at `offset`.

        Raises:
            UnreadableCheckpointError: The range is not wholly inside the source.
        """


def read_into(source: Source, offset: int, buffer: memoryview) -> None:
    """Fill `buffer` with the bytes that start at `offset`.

    A source may have a method `readinto(offset, buffer)` that does it without a copy on the way.

    Raises:
        UnreadableCheckpointError: The range is not wholly inside the source.
    """
    direct = getattr(source, "readinto", None)
    if direct is not None:
        direct(offset, buffer)
    else:
        buffer[:] = source.read(offset, len(buffer))
