"""Protobuf's wire format, walked without loading what it holds.

Source: Protocol Buffers documentation of 2025-09, "Encoding"; protobuf 6.33, `upb/wire/decode.c`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model.source import Source

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types; 3 and 4, groups, are in no message of ONNX."""
MAX_FIELDS = 1_000_000
"""Fields of all messages that are walked through; a node of a network has about twenty."""
MAX_TEXT_BYTES = 1 << 20
MAX_TEXTS_BYTES = 16 << 20
"""Bounds on one text, and on all that are read."""
VARINT_BYTES = 10
_BUFFER_BYTES = 4 << 10
"""Small, so that little of the tensors between headers is read."""
_WIDTHS = {FIXED64: 8, FIXED32: 4}
_MOST_TAG = 1 << 32


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: Of the field.
        wire: Wire type.
        start: First byte of its value.
        end: First byte behind it.
        value: The number itself, of a varint; else 0.
    """

    number: int
    wire: int
    start: int
    end: int
    value: int


class Wire:
    """A protobuf file; a cursor that goes forward reads each of its bytes at most once."""

    __slots__ = ("_buffer", "_fields", "_start", "_texts", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self._start, self._buffer = 0, b""
        self._fields = self._texts = 0

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """Yield the fields of the message between two bytes; values of more than a number stay unread.

        Raises:
            UnreadableCheckpointError: The bytes are no message, or one in a form that readers disagree on.
            LimitExceededError: There are more than `MAX_FIELDS`.
        """
        at = start
        while at < end:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise LimitExceededError(f"has more than {MAX_FIELDS:,} fields", where=self.source.name)
            field = self.field(at, end)
            if field.end > end:
                raise self.broken(
                    f"field {field.number} at byte {at} ends at byte {field.end}, what holds it at {end}: "
                    "truncated or corrupt"
                )
            yield field
            at = field.end

    def field(self, at: int, end: int) -> Field:
        """Return the field that starts at a byte; its end is what it states and may lie behind `end`."""
        place = at - self._start
        if not 0 <= place <= len(self._buffer) - 2 * VARINT_BYTES:
            place = self._filled(at)
        buffer = self._buffer
        # Most tags, and most lengths, are one byte.
        tag = buffer[place]
        start = at + 1
        if tag >= 0x80:
            tag, start = self.varint(at, end)
            if tag >> 7 * (start - at - 1) == 0 or tag >= _MOST_TAG:
                raise self.broken(f"no field starts at byte {at}")
        number, wire = tag >> 3, tag & 7
        if not number:
            raise self.broken(f"no field starts at byte {at}")
        if wire in _WIDTHS:
            return Field(number, wire, start, start + _WIDTHS[wire], 0)
        if wire not in (VARINT, LENGTH):
            raise self.broken(f"field {number} at byte {at} is of wire type {wire}, which ONNX never uses")
        place = start - self._start
        if start < end and buffer[place] < 0x80:
            value, stop = buffer[place], start + 1
        else:
            value, stop = self.varint(start, end)
        return (
            Field(number, wire, start, stop, value)
            if wire == VARINT
            else Field(number, wire, stop, stop + value, 0)
        )

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """Return the number that starts at a byte, unsigned, and the first byte behind it."""
        place = at - self._start
        if not 0 <= place <= len(self._buffer) - VARINT_BYTES:
            self._fill(at)
            place = 0
        value = 0
        for index, byte in enumerate(self._buffer[place : place + min(VARINT_BYTES, end - at)]):
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80 and value < 1 << 64:
                return value, at + index + 1
        raise self.broken(f"the number at byte {at} has no end, or more than 64 bits")

    def text(self, field: Field) -> str:
        """Return a text.

        Raises:
            UnreadableCheckpointError: It is not UTF-8.
            LimitExceededError: It, or all texts together, are over a bound of this module.
        """
        length = field.end - field.start
        self._texts += length
        if length > MAX_TEXT_BYTES or self._texts > MAX_TEXTS_BYTES:
            raise LimitExceededError(
                f"a text of {length:,} bytes at byte {field.start}; at most {MAX_TEXT_BYTES:,}, and "
                f"{MAX_TEXTS_BYTES:,} together, are read",
                where=self.source.name,
            )
        place = field.start - self._start
        inside = 0 <= place <= len(self._buffer) - length
        raw = self._buffer[place : place + length] if inside else self.source.read(field.start, length)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.broken(f"the text at byte {field.start} is not UTF-8") from error

    def _filled(self, at: int) -> int:
        """Read on from a byte at which a field starts; return its place in the buffer."""
        if at >= self.source.size:
            raise self.broken(f"ends at byte {at}, where a field should start")
        self._fill(at)
        return 0

    def _fill(self, at: int) -> None:
        self._start = at
        self._buffer = self.source.read(at, min(_BUFFER_BYTES, self.source.size - at))

    def broken(self, what: str) -> UnreadableCheckpointError:
        """Return the error that says what is wrong with this file."""
        return UnreadableCheckpointError(what, where=self.source.name)


def signed(value: int) -> int:
    """Return the number that a varint of a signed type stands for."""
    return value - (1 << 64) if value >> 63 else value
