"""Bytes of one member: stored ones are windows, deflated ones are inflated piece by piece."""

import threading
import zlib
from typing import NamedTuple

from ckptkit.model.source import Mapped, Source, mapped, read_into
from ckptkit.storage.source import Window, check_range
from ckptkit.storage.zip.layout import refuse

PIECE_BYTES = 1 << 20
_INPUT_BYTES = 64 << 10
_MARKS = 64
"""Most places from which inflating can start again; each holds about 40 KB."""


class Member(NamedTuple):
    """One file of an archive.

    Attributes:
        name: With `/` between folders.
        header_offset: Where its local header starts.
        offset: Where its data starts.
        compressed_size: Bytes in the archive.
        size: Bytes of its contents.
        crc32: Of its contents.
        method: 0 stored, 8 deflated.
    """

    name: str
    header_offset: int
    offset: int
    compressed_size: int
    size: int
    crc32: int
    method: int


class StoredSource:
    """A stored member.

    Reads that follow each other from the first byte to the last are checked against the CRC at
    no further cost; `verify` reads what it must. Threads may read it at the same time.

    Attributes:
        crc32: What the archive states; no promise until `verify` has returned.
    """

    __slots__ = ("_archive", "_crc", "_lock", "_member", "_passed", "crc32", "size")

    def __init__(self, archive: Source, member: Member) -> None:
        # Archives have tens of thousands of these: what few are asked for is made when it is.
        self._archive, self._member = archive, member
        self.size, self.crc32 = member.size, member.crc32
        self._crc = self._passed = 0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The archive's name and the member's."""
        return f"{self._archive.name}:{self._member.name}"

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; see `model.source.Source`."""
        check_range(self, offset, length)
        data = self._archive.read(self._member.offset + offset, length)
        self._count(offset, data)
        return data

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes at `offset`; see `model.source.read_into`."""
        check_range(self, offset, len(buffer))
        read_into(self._archive, self._member.offset + offset, buffer)
        self._count(offset, buffer)

    def mapped(self, offset: int, length: int, writable: bool) -> Mapped | None:
        """Map the bytes at `offset`, which compares nothing; see `model.source.mapped`."""
        check_range(self, offset, length)
        return mapped(self._archive, self._member.offset + offset, length, writable=writable)

    def _count(self, offset: int, data: bytes | memoryview) -> None:
        """Go on computing the CRC where `data` is what comes next."""
        with self._lock:
            if offset != self._passed or not data:
                return
            self._passed += len(data)
            self._crc = zlib.crc32(data, self._crc)
            if self._passed == self.size and self._crc != self.crc32:
                self._passed = 0
                self._crc = 0
                refuse("bytes do not match the CRC of the zip member: corrupt", self.name)

    def verify(self) -> None:
        """Check the CRC, unless reads have done so.

        Raises:
            UnreadableCheckpointError: The bytes are not those that were stored.
        """
        while self._passed < self.size:
            self.read(self._passed, min(PIECE_BYTES, self.size - self._passed))


class InflatedSource:
    """A deflated member, inflated as it is read, in constant memory.

    The first read inflates all of it once: length and CRC are checked before any byte is given
    out, and places are marked from which later reads start. Threads take turns.
    """

    __slots__ = ("_live", "_lock", "_marks", "_member", "_packed", "name", "size")

    def __init__(self, archive: Source, member: Member) -> None:
        self.name = f"{archive.name}:{member.name}"
        self._packed = Window(archive, member.offset, member.compressed_size, self.name)
        self._member, self.size = member, member.size
        self._marks: list[_Inflater] = []
        self._live: _Inflater | None = None
        self._lock = threading.RLock()

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; see `model.source.Source`."""
        check_range(self, offset, length)
        with self._lock:
            self.verify()
            stream = self._stream_at(offset)
            parts, have = [], 0
            while have < length:
                parts.append(stream.next(length - have))
                have += len(parts[-1])
            return b"".join(parts)

    def _stream_at(self, offset: int) -> "_Inflater":
        """Return a stream at `offset`: the last read's where that is nearest, else from a mark."""
        mark = max((m for m in self._marks if m.produced <= offset), key=lambda m: m.produced)
        if self._live is None or not mark.produced <= self._live.produced <= offset:
            self._live = mark.copy()
        while self._live.produced < offset:
            self._live.next(min(PIECE_BYTES, offset - self._live.produced))
        return self._live

    @property
    def _step(self) -> int:
        return max(PIECE_BYTES, self.size // _MARKS)

    def verify(self) -> None:
        """Inflate everything once and check length and CRC; further calls do nothing.

        Raises:
            UnreadableCheckpointError: The stream is broken, or is not what the directory says.
        """
        with self._lock:
            if not self._marks:
                self._marks = self._verified()

    def _verified(self) -> "list[_Inflater]":
        stream, crc = _Inflater(self._packed), 0
        marks = [stream.copy()]
        while piece := stream.next(PIECE_BYTES):
            crc = zlib.crc32(piece, crc)
            if stream.produced > self.size:
                refuse(f"inflates to more than the {self.size} bytes that the zip states", self.name)
            if stream.produced >= marks[-1].produced + self._step:
                marks.append(stream.copy())
        if stream.produced != self.size or stream.leaves_input:
            refuse(f"inflates to {stream.produced} bytes and the zip states {self.size}", self.name)
        if crc != self._member.crc32:
            refuse("bytes do not match the CRC of the zip member: corrupt", self.name)
        return marks


class _Inflater:
    """A raw deflate stream at some place of its output."""

    __slots__ = ("_consumed", "_packed", "_state", "produced")

    def __init__(self, packed: Source) -> None:
        self._packed = packed
        self._state = zlib.decompressobj(-zlib.MAX_WBITS)
        self._consumed = self.produced = 0

    def copy(self) -> "_Inflater":
        """Return an independent stream at the same place."""
        other = _Inflater(self._packed)
        other._state, other._consumed, other.produced = self._state.copy(), self._consumed, self.produced
        return other

    @property
    def leaves_input(self) -> bool:
        """Whether input is left behind the end of the stream."""
        return bool(self._state.unused_data) or self._consumed != self._packed.size

    def next(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes of output; none at the end of the stream only."""
        while not self._state.eof:
            given = self._state.unconsumed_tail or self._input()
            try:
                piece = self._state.decompress(given, limit)
            except zlib.error as error:
                refuse(f"deflate stream is corrupt: {error}", self._packed.name)
            if piece:
                self.produced += len(piece)
                return piece
            if not given and not self._state.eof:
                refuse("deflate stream ends early", self._packed.name)
        return b""

    def _input(self) -> bytes:
        length = min(_INPUT_BYTES, self._packed.size - self._consumed)
        self._consumed += length
        return self._packed.read(self._consumed - length, length)
