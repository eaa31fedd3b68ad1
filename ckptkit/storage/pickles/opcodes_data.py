"""Opcodes that push a constant: numbers, text, bytes; and PROTO and FRAME.

Source: CPython 3.14, `Lib/pickletools.py`. Every argument is read whole or the stream is refused.
"""

import codecs
import re
from collections.abc import Callable
from struct import Struct

from ckptkit.storage.pickles import limits
from ckptkit.storage.pickles.machine import Machine
from ckptkit.storage.pickles.nested import look_inside

Opcode = Callable[[Machine, int], int]

_I32, _U32, _U64, _F64 = Struct("<i"), Struct("<I"), Struct("<Q"), Struct(">d")
_LONG = 1 << 12
_WIDEST = re.compile(rb"[\xf0-\xff]")
_DECIMAL = re.compile(rb"[+-]?(0|[1-9][0-9]*)")


def take(m: Machine, at: int, length: int) -> bytes:
    """Return the `length` bytes at `at`, which must lie in the open frame."""
    if at + length > m.limit:
        raise m.malformed(f"an argument of {length} bytes crosses the end of its frame or of the data", at)
    return m.data[at : at + length]


def line(m: Machine, at: int) -> tuple[bytes, int]:
    """Return a text argument without its newline, and the offset behind it."""
    end = m.data.find(b"\n", at, m.limit)
    if end < 0:
        raise m.malformed("a text argument has no end", at)
    return m.data[at:end], end + 1


def unsigned(m: Machine, at: int, width: int) -> int:
    """Return the little-endian unsigned integer of `width` bytes at `at`."""
    return int.from_bytes(take(m, at, width), "little")


def text(m: Machine, raw: bytes, at: int) -> str:
    """Decode text; halves of surrogate pairs are no text that anything else could store."""
    m.charge(56 + len(raw) * _width(raw), at)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise m.malformed("text that is not UTF-8", at) from None


def _width(raw: bytes) -> int:
    """Return the most bytes that a character of UTF-8 text takes in memory, as its widest one does."""
    if len(raw) < _LONG or raw.isascii():
        return 1
    return 4 if _WIDEST.search(raw) else 2


def _proto(m: Machine, at: int) -> int:
    version = take(m, at, 1)[0]
    if version > 5:
        raise m.malformed(f"pickle protocol {version} is unknown", at - 1)
    return at + 1


def _frame(m: Machine, at: int) -> int:
    length = unsigned(m, at, 8)
    end = at + 8 + length
    if m.framed:
        raise m.malformed("a frame begins inside another", at - 1)
    if not length or end > len(m.data):
        raise m.malformed(f"a frame of {length} bytes does not fit in the data", at - 1)
    m.limit, m.framed = end, True
    return at + 8


def _none(m: Machine, at: int) -> int:
    m.stack.append(None)
    return at


def _true(m: Machine, at: int) -> int:
    m.stack.append(True)
    return at


def _false(m: Machine, at: int) -> int:
    m.stack.append(False)
    return at


def _binint(m: Machine, at: int) -> int:
    m.made += 32
    m.stack.append(_I32.unpack(take(m, at, 4))[0])
    return at + 4


def _binint1(m: Machine, at: int) -> int:
    m.stack.append(m.data[at])
    return at + 1


def _binint2(m: Machine, at: int) -> int:
    m.made += 32
    m.stack.append(unsigned(m, at, 2))
    return at + 2


def _long1(m: Machine, at: int) -> int:
    return _long(m, at + 1, take(m, at, 1)[0])


def _long4(m: Machine, at: int) -> int:
    return _long(m, at + 4, _I32.unpack(take(m, at, 4))[0])


def _long(m: Machine, at: int, length: int) -> int:
    if length < 0:
        raise m.malformed("an integer of negative length", at)
    if length > limits.MAX_INTEGER_BYTES:
        raise m.over(f"an integer of {length} bytes", at)
    m.made += 32 + length
    m.stack.append(int.from_bytes(take(m, at, length), "little", signed=True))
    return at + length


def _int_text(m: Machine, at: int) -> int:
    raw, end = line(m, at)
    m.stack.append(raw == b"01" if raw in (b"00", b"01") else decimal(m, raw, at))
    return end


def _long_text(m: Machine, at: int) -> int:
    raw, end = line(m, at)
    m.stack.append(decimal(m, raw.removesuffix(b"L"), at))
    return end


def decimal(m: Machine, raw: bytes, at: int) -> int:
    """Return the integer that a text argument spells in decimal digits."""
    if len(raw) > limits.MAX_INTEGER_DIGITS:
        raise m.over(f"an integer of {len(raw)} digits", at)
    if not _DECIMAL.fullmatch(raw):
        raise m.malformed("a number that is not written in decimal digits", at)
    m.made += 32 + len(raw)
    return int(raw)


def _binfloat(m: Machine, at: int) -> int:
    m.made += 24
    m.stack.append(_F64.unpack(take(m, at, 8))[0])
    return at + 8


def _float_text(m: Machine, at: int) -> int:
    raw, end = line(m, at)
    try:
        m.stack.append(float(raw[: limits.MAX_INTEGER_DIGITS]))
    except ValueError:
        raise m.malformed("a number that is none", at) from None
    return end


def _unicode(width: int) -> Opcode:
    def push(m: Machine, at: int) -> int:
        start = at + width
        end = start + unsigned(m, at, width)
        m.stack.append(text(m, take(m, start, end - start), at))
        return end

    return push


def _short_unicode(m: Machine, at: int) -> int:
    end = at + 1 + m.data[at]
    m.stack.append(text(m, take(m, at + 1, end - at - 1), at))
    return end


def _binunicode(m: Machine, at: int) -> int:
    start = at + 4
    end = start + int.from_bytes(m.data[at:start], "little")
    if end > m.limit:
        raise m.malformed("text crosses the end of its frame or of the data", at)
    m.stack.append(text(m, m.data[start:end], at))
    return end


def _unicode_text(m: Machine, at: int) -> int:
    raw, end = line(m, at)
    m.charge(56 + 4 * len(raw), at)
    try:
        value = raw.decode("raw-unicode-escape")
        value.encode()
    except UnicodeError:
        raise m.malformed("text that is not Unicode", at) from None
    m.stack.append(value)
    return end


def _bytes(width: int) -> Opcode:
    def push(m: Machine, at: int) -> int:
        start = at + width
        end = start + unsigned(m, at, width)
        m.charge(40 + end - start, at)
        value = take(m, start, end - start)
        look_inside(m, value, at - 1)
        m.stack.append(value)
        return end

    return push


def _bytearray8(m: Machine, at: int) -> int:
    end = _bytes(8)(m, at)
    value = m.stack[-1]
    m.stack[-1] = bytearray(value) if isinstance(value, bytes) else value
    return end


def _string(width: int) -> Opcode:
    """Make the handler of a Python 2 string: text where it is ASCII, else bytes."""

    def push(m: Machine, at: int) -> int:
        start = at + width
        end = start + unsigned(m, at, width)
        _push_string(m, take(m, start, end - start), at - 1)
        return end

    return push


def _string_text(m: Machine, at: int) -> int:
    raw, end = line(m, at)
    if len(raw) < 2 or raw[0] != raw[-1] or raw[:1] not in (b"'", b'"'):
        raise m.malformed("a string without its quotes", at)
    try:
        value = codecs.escape_decode(raw[1:-1])[0]
    except ValueError:
        raise m.malformed("a string with a broken escape", at) from None
    _push_string(m, value, at - 1)
    return end


def _push_string(m: Machine, value: bytes, offset: int) -> None:
    m.charge(56 + len(value), offset)
    look_inside(m, value, offset)
    m.stack.append(value.decode() if value.isascii() else value)


DATA_OPCODES: dict[bytes, Opcode] = {
    b"\x80": _proto,
    b"\x95": _frame,
    b"N": _none,
    b"\x88": _true,
    b"\x89": _false,
    b"J": _binint,
    b"K": _binint1,
    b"M": _binint2,
    b"\x8a": _long1,
    b"\x8b": _long4,
    b"I": _int_text,
    b"L": _long_text,
    b"G": _binfloat,
    b"F": _float_text,
    b"X": _binunicode,
    b"\x8c": _short_unicode,
    b"\x8d": _unicode(8),
    b"V": _unicode_text,
    b"C": _bytes(1),
    b"B": _bytes(4),
    b"\x8e": _bytes(8),
    b"\x96": _bytearray8,
    b"U": _string(1),
    b"T": _string(4),
    b"S": _string_text,
}
"""Handlers by opcode byte."""
