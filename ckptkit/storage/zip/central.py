"""The central directory of a zip file: parsed record by record, with one reading."""

import stat
import struct
from collections.abc import Iterator

from ckptkit.storage.zip.layout import (
    CENTRAL,
    CENTRAL_MAGIC,
    DEFLATED,
    FREE_RATIO_BYTES,
    FULL32,
    MAX_RATIO,
    STORED,
    Entry,
    over_limit,
    refuse,
)
from ckptkit.storage.zip.names import decode

_KNOWN_FLAGS = 0x0002 | 0x0004 | 0x0008 | 0x0800
"""Deflate strength (two bits), data descriptor, UTF-8 name."""
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_DOS_DIRECTORY = 0x10
_NEWEST_VERSION = 63
"""Newest version of the format (times ten) that Python's reader opens."""
_ZIP64 = 0x0001
_PADDING = b"FB"
"""The part with which torch puts each storage on a boundary; mostly the only one."""
_REFUSED_EXTRAS = {0x7075: "a second name", 0x9901: "encryption", 0x0017: "encryption"}


def parse(data: bytes, count: int, where: str) -> list[Entry]:
    """Return the `count` records that `data` consists of, in their order.

    Raises:
        UnreadableCheckpointError: A record is malformed, asks for a feature that is not read
            here, or two names are equal or differ in case only.
        LimitExceededError: A member grows over its bound when inflated.
    """
    found: list[Entry] = []
    seen: dict[str, str] = {}
    at = 0
    for _ in range(count):
        entry, at = _record(data, at, where)
        other = seen.setdefault(entry.name.casefold(), entry.name)
        if len(seen) == len(found):
            how = "stands twice" if other == entry.name else f"differs from {other!r} in case only"
            refuse(f"member name {entry.name!r} {how}", where)
        found.append(entry)
    if at != len(data):
        refuse(f"{len(data) - at} bytes behind the last record of the zip directory", where)
    return found


def _record(data: bytes, at: int, where: str) -> tuple[Entry, int]:
    end = at + CENTRAL.size
    if end > len(data):
        refuse("zip directory holds fewer members than its end record says", where)
    record = CENTRAL.unpack_from(data, at)
    magic, made, needed, flags, method, _, _, crc, packed, size, name_len, extra_len, comment_len = record[
        :13
    ]
    disk, _, attributes, offset = record[13:]
    middle = end + name_len
    stop = middle + extra_len
    if magic != CENTRAL_MAGIC or stop + comment_len > len(data):
        refuse(f"zip directory is broken at its byte {at}", where)
    raw = data[end:middle]
    name = decode(raw, flags, where)
    if extra_len or FULL32 in (packed, size, offset):
        size, packed, offset = _wide(data[middle:stop], size, packed, offset, f"{where}:{name}")
    entry = Entry(name, raw, flags, method, crc, packed, size, offset)
    if comment_len or disk:
        refuse("member has a comment or lies on another disk", f"{where}:{name}")
    if needed & 0xFF > _NEWEST_VERSION:
        refuse(f"member asks for version {needed & 0xFF} of the zip format", f"{where}:{name}")
    if attributes:
        _check_kind(made, attributes, f"{where}:{name}")
    if method or packed != size or not size or flags & ~_KNOWN_FLAGS:
        _check_entry(entry, where)
    return entry, stop


def _check_kind(made: int, attributes: int, where: str) -> None:
    kind = stat.S_IFMT(attributes >> 16) if made >> 8 == 3 else 0
    if kind not in (0, stat.S_IFREG):
        refuse("member is a link, a directory or another special file", where)
    if attributes & _DOS_DIRECTORY:
        refuse("member is marked as a directory", where)


def _check_entry(entry: Entry, where: str) -> None:
    if entry.flags & ~_KNOWN_FLAGS:
        what = "is encrypted" if entry.flags & _ENCRYPTED else f"has unknown flags {entry.flags:#06x}"
        refuse(f"member {what}", f"{where}:{entry.name}")
    if entry.method == STORED:
        if entry.compressed_size != entry.size:
            refuse("stored member with two different sizes", f"{where}:{entry.name}")
    elif entry.method != DEFLATED:
        refuse(f"member has unknown compression method {entry.method}", f"{where}:{entry.name}")
    elif entry.size > max(FREE_RATIO_BYTES, MAX_RATIO * entry.compressed_size):
        over_limit(
            f"{entry.compressed_size} bytes would inflate to {entry.size}, over {MAX_RATIO} times as much",
            f"{where}:{entry.name}",
        )
    if not entry.size and entry.crc32:
        refuse("empty member with a CRC that is not 0", f"{where}:{entry.name}")


def zip64_values(extra: bytes, where: str) -> tuple[int, ...] | None:
    """Return the 64-bit values of an extra field; None where it holds no zip64 part.

    Raises:
        UnreadableCheckpointError: The extra field is malformed, holds two zip64 parts, or a part
            that changes how a member is read (a second name, encryption).
    """
    if len(extra) >= 4 and extra[:2] == _PADDING and len(extra) - 4 == extra[2] | extra[3] << 8:
        return None
    values = None
    for kind, part in _extras(extra, where):
        if kind in _REFUSED_EXTRAS:
            refuse(f"extra field states {_REFUSED_EXTRAS[kind]}", where)
        if kind == _ZIP64:
            if values is not None or not part or len(part) % 8:
                refuse("zip64 extra field is doubled or of an unknown length", where)
            values = struct.unpack(f"<{len(part) // 8}Q", part)
    return values


def _extras(extra: bytes, where: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(extra):
        if at + 4 > len(extra):
            refuse("extra field ends in the middle of a part", where)
        kind, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            refuse("part of the extra field is longer than the field", where)
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _wide(extra: bytes, size: int, packed: int, offset: int, where: str) -> tuple[int, int, int]:
    """Replace the fields that are full by the values of the zip64 extra field, which must fit."""
    fields = (size, packed, offset)
    values = zip64_values(extra, where)
    full = sum(field == FULL32 for field in fields)
    if values is None:
        if full:
            refuse("a zip64 size is announced and missing", where)
        return fields
    if len(values) != full:
        refuse(f"{full} zip64 values are announced and {len(values)} are there", where)
    rest = iter(values)
    wide = tuple(next(rest) if field == FULL32 else field for field in fields)
    return wide[0], wide[1], wide[2]
