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
