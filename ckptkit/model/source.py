"""Where bytes come from, as the rest of the package sees it."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Mapped:
    """Bytes of a file as pages in memory.

    Attributes:
        pages: The bytes.
        address: Where they start, as far as their distance from a boundary of pages goes.
    """

    pages: memoryview
    address: int


def mapped(source: Source, offset: int, length: int, *, writable: bool = False) -> Mapped | None:
    """Return bytes of a source as pages of the file that they lie in; None where they lie in none.

    A source that can do so has a method `mapped(offset, length, writable)`. A program that touches pages of a
    file that was cut short since is ended by the system.

    Args:
        source: Which.
        offset: The first byte.
        length: How many, 1 or more.
        writable: Whether the pages may be written, which changes them in this process alone.

    Raises:
        UnreadableCheckpointError: The range is not wholly inside the source.
    """
    direct = getattr(source, "mapped", None)
    found: Mapped | None = direct(offset, length, writable) if direct is not None else None
    return found
