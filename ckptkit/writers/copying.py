"""One pass over tensor bytes: read in pieces, hashed beside the writing, never whole in memory.

Each tensor is read once, into one of a few buffers: there the CRC of a zip member is checked, from
there it is written, and there a thread hashes it. Another thread hashes the file behind the writing,
as it stands there; so a file's digest is that of what was written, and a tensor's of what was read.
"""

import hashlib
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from ckptkit.model.source import Source
from ckptkit.model.tensor import Tensor
from ckptkit.storage.output import Output
from ckptkit.writers.plan import Planned

PIECE_BYTES = 1 << 20
_BUFFERS = 8
"""Pieces that may wait for a hash; together with `PIECE_BYTES` this bounds the memory in use."""
_HERE_BYTES = 64 << 10
"""Tensors up to this size are hashed where they are read: to hand them over costs more."""

Write = Callable[[bytes | memoryview], object]


class Hashing:
    """A thread that hashes pieces, and the buffers that they are in.

    Tensors' digests are complete once the block has ended without an error.
    """

    def __init__(self) -> None:
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._filled: SimpleQueue[tuple[hashlib._Hash, memoryview] | None] = SimpleQueue()
        self._made = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until everything given so far is hashed, and end the thread."""
        self._filled.put(None)
        self._thread.join()

    def take(self) -> memoryview:
        """Return a buffer that nothing waits in; waits for one where there are enough of them."""
        if self._made < _BUFFERS and self._free.empty():
            self._made += 1
            return memoryview(bytearray(PIECE_BYTES))
        return self._free.get()

    def update(self, state: "hashlib._Hash", piece: memoryview) -> None:
        """Have `state` go on with a piece of a buffer; then the buffer is free again."""
        self._filled.put((state, piece))

    def _run(self) -> None:
        while (item := self._filled.get()) is not None:
            state, piece = item
            state.update(piece)
            self._free.put(memoryview(piece.obj))


class FileHash:
    """The digest of a file in the making, hashed in a thread behind the writing."""

    def __init__(self, output: Output) -> None:
        """Take an empty file, which must stay open until the block ends."""
        self._output = output
        self._news = threading.Condition()
        self._settled, self._ended = 0, False
        self._failure: OSError | None = None
        self._state = hashlib.sha256()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what is not hashed by now."""
        self._end(0)
        self._thread.join()

    def settle(self, end: int) -> None:
        """Say that the bytes before `end`, as far as they are in the file, will not change any more."""
        end = min(end, self._output.flushed)
        if end - self._settled >= PIECE_BYTES:
            with self._news:
                self._settled = end
                self._news.notify()

    def sha256(self) -> str:
        """Return the hex digest of the file, which is complete.

        Raises:
            OSError: It could not be read.
        """
        self._output.flush()
        self._end(self._output.size)
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._state.hexdigest()

    def _end(self, size: int) -> None:
        with self._news:
            self._settled, self._ended = size, True
            self._news.notify()

    def _run(self) -> None:
        buffer, at = memoryview(bytearray(PIECE_BYTES)), 0
        try:
            while at < (end := self._wait_beyond(at)):
                got = self._output.readinto(at, buffer[: end - at])
                if not got:
                    raise OSError("the file became shorter while it was written")
                self._state.update(buffer[:got])
                at += got
        except OSError as error:
            self._failure = error

    def _wait_beyond(self, at: int) -> int:
        """Return how far the file is settled once that is beyond `at`, or there is no more to come."""
        with self._news:
            self._news.wait_for(lambda: self._settled > at or self._ended)
            return self._settled


@dataclass(slots=True)
class Copy:
    """What came of one tensor.

    Attributes:
        planned: The tensor.
        state: Digest of its bytes; complete once `Hashing` is left.
        crc32: CRC of its bytes, where it was asked for.
    """

    planned: Planned
    state: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    crc32: int = 0

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return self.state.hexdigest()


def copy(planned: Planned, write: Write, hashing: Hashing, *, crc: bool = False) -> Copy:
    """Give the logical bytes of a tensor to `write`, and hash them.

    Args:
        planned: What to copy.
        write: Takes each piece in turn; the piece is its own only until it returns.
        hashing: Hashes the tensor beside the writing.
        crc: Whether to compute the CRC as well.
    """
    made = Copy(planned)
    if planned.tensor.nbytes <= _HERE_BYTES:
        data = planned.tensor.tobytes()
        made.state.update(data)
        made.crc32 = zlib.crc32(data) if crc else 0
        write(data)
        return made
    for piece in planned.tensor.pieces_in(hashing.take):
        if crc:
            made.crc32 = zlib.crc32(piece, made.crc32)
        hashing.update(made.state, piece)
        write(piece)
    return made


def recorded_crc32(tensor: Tensor) -> int | None:
    """Return the CRC that a zip states of exactly the bytes of `tensor`; None where none does.

    Reading the tensor, or `verify`, proves it.
    """
    source = tensor.storage.source
    whole = tensor.run == 0 and tensor.nbytes == source.size
    crc32 = getattr(source, "crc32", None) if whole and tensor.nbytes else None
    return crc32 if isinstance(crc32, int) else None


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
        prove = getattr(source, "verify", None)
        if prove is not None:
            prove()
