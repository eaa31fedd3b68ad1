"""Compressed streams one behind the other, read piece by piece as one content."""

from collections.abc import Callable
from typing import Protocol

from ckptkit.model.source import Source

INPUT_BYTES = 32 << 10
_FRAME_HEADER, _REPEATED = 18, 1
"""Most bytes of the header of a zstd frame, and the type of a block that is one byte over and over."""
_CUT = "it breaks off"
_BEHIND = "what is behind the first stream is none, or breaks off"


class State(Protocol):
    """One stream, as Python's `lzma` and `bz2` modules read it."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether more of the content takes more of the file."""

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end of the stream."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return more of the content, at most `max_length` bytes."""


class Raw(Protocol):
    """A compressed file."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Return the next bytes, at most `size`; none at the end."""


class Streams:
    """The content of compressed streams; nothing else may stand between or behind them.

    Python's own readers of such files bound no memory, and pass over what is behind a stream.
    """

    def __init__(self, raw: Raw, new: Callable[[], State], *, padding: int = 0) -> None:
        """Begin at the first stream.

        Args:
            raw: The compressed file.
            new: Makes what reads one stream.
            padding: Zeros may follow a stream in multiples of so many; none where it is 0.
        """
        self._raw, self._new, self._padding = raw, new, padding
        self._state, self._given, self._first = new(), b"", True

    def read(self, length: int, /) -> bytes:
        """Return the next bytes, at most `length`; none at the end.

        Raises:
            EOFError: A stream breaks off.
            OSError: A stream, or what is behind one, is broken.
        """
        while not self._state.eof or self._next():
            if self._state.needs_input and not self._given:
                self._given = self._input()
                if not self._given:
                    raise EOFError(_CUT if self._first else _BEHIND)
            piece, self._given = self._state.decompress(self._given, length), b""
            if piece:
                return piece
        return b""

    def _input(self) -> bytes:
        return self._raw.read(INPUT_BYTES) or b""

    def _next(self) -> bool:
        """Go to the stream behind the one that has ended; False at the end of the file."""
        self._given = self._state.unused_data or self._input()
        if self._padding:
            self._pass_zeros()
        if self._given:
            self._state, self._first = self._new(), False
        return bool(self._given)

    def _pass_zeros(self) -> None:
        zeros = 0
        while self._given:
            rest = self._given.lstrip(b"\0")
            zeros += len(self._given) - len(rest)
            self._given = rest or self._input()
            if rest:
                break
        if zeros % self._padding:
            raise OSError(f"{zeros} zeros behind a stream")


def check_zstd_end(source: Source) -> None:
    """Refuse a file of sound zstd frames whose last one breaks off; the library takes it for whole.

    Source: RFC 8878, sections 3.1.1 and 3.1.2.

    Raises:
        EOFError: It breaks off.
        zstandard.ZstdError: It breaks off in the header of a frame.
    """
    at = 0
    while at < source.size:
        head = source.read(at, min(_FRAME_HEADER, source.size - at))
        if head[1:4] == b"\x2a\x4d\x18":  # a frame that is passed over
            at += 8 + int.from_bytes(head[4:8], "little")
        else:
            at = _frame_end(source, at, head)
    if at != source.size:
        raise EOFError("a frame breaks off")


def _frame_end(source: Source, at: int, head: bytes) -> int:
    import zstandard

    at += zstandard.frame_header_size(head)
    last = False
    while not last and at + 3 <= source.size:
        block = int.from_bytes(source.read(at, 3), "little")
        last = bool(block & 1)
        at += 3 + (1 if block >> 1 & 3 == _REPEATED else block >> 3)
    return at + 4 * zstandard.get_frame_parameters(head).has_checksum if last else source.size + 1
