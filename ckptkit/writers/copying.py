"""One pass over tensor bytes: read in pieces, hashed twice and written, never whole in memory."""

import hashlib
import queue
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from ckptkit.model.source import Source
from ckptkit.writers.plan import Planned

_PIECE_BYTES = 1 << 20
_WAITING = 4
"""Pieces that may wait for a hash; together with `_PIECE_BYTES` this bounds the memory in use."""

_POOL_BYTES = 30 << 20

Write = Callable[[bytes], object]


@runtime_checkable
class Verifiable(Protocol):
    """A source that knows a checksum of its bytes, such as a zip member."""

    def verify(self) -> None:
        """Read what has not been read in order yet and raise if the checksum differs."""


class BackgroundHash:
    """Updates hashes in a thread of its own; hashlib lets other threads run meanwhile."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[Callable[[bytes], object], bytes] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        # glibc gives large blocks back to the system when they are freed, and the next piece faults
        # every page in again; one larger block, never touched, makes it keep up to twice as much.
        bytearray(_POOL_BYTES)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until everything given so far is hashed, and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def update(self, update: Callable[[bytes], object], piece: bytes) -> None:
        """Have `update(piece)` called, after all that was given before."""
        self._waiting.put((update, piece))

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            update, piece = item
            update(piece)


@dataclass(slots=True)
class Copy:
    """What came of one tensor.

    Attributes:
        planned: The tensor.
        state: Digest of its bytes; complete once the `BackgroundHash` is left, as is the CRC.
        crc32: CRC of its bytes, where it was asked for.
    """

    planned: Planned
    state: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    crc32: int = 0

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return self.state.hexdigest()

    def add_crc(self, piece: bytes) -> None:
        """Go on computing the CRC."""
        self.crc32 = zlib.crc32(piece, self.crc32)


def copy(planned: Planned, write: Write, hashes: BackgroundHash, *, crc: bool = False) -> Copy:
    """Give the logical bytes of a tensor to `write`, and hash them.

    Args:
        planned: What to copy.
        write: Takes each piece in turn.
        hashes: Hashes the tensor beside the writing.
        crc: Whether to compute the CRC as well.
    """
    made = Copy(planned)
    for piece in planned.tensor.pieces(_PIECE_BYTES):
        hashes.update(made.state.update, piece)
        if crc:
            hashes.update(made.add_crc, piece)
        write(piece)
    return made


def verify(copies: Iterable[Copy]) -> None:
    """Check the zip members that were copied from, as far as reading them in order has not done so.

    Raises:
        UnreadableCheckpointError: A member's bytes differ from its CRC.
    """
    sources: dict[int, Source] = {}
    for made in copies:
        source = made.planned.tensor.storage.source
        sources[id(source)] = source
    for source in sources.values():
        if isinstance(source, Verifiable):
            source.verify()
