"""Members of an archive whose directory is lost or contradicts them, from the local headers alone.

Headers are followed from byte 0 on, each from where the last member ends. A member whose sizes stand
behind its data (torch writes all so) ends at the first descriptor that gives the distance to it. What
is found so is a claim: whoever uses it compares the CRC.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ckptkit.errors import CkptkitError
from ckptkit.model.source import Source
from ckptkit.storage.zip.central import zip64_values
from ckptkit.storage.zip.layout import (
    CENTRAL_MAGIC,
    DEFLATED,
    DESCRIPTOR_MAGIC,
    FULL32,
    HAS_DESCRIPTOR,
    LOCAL,
    LOCAL_MAGIC,
    MAX_MEMBERS,
    STORED,
)
from ckptkit.storage.zip.members import Member
from ckptkit.storage.zip.names import decode

_PIECE_BYTES = 4 << 20
_ENCRYPTED = 0x01
_DESCRIPTORS = (struct.Struct("<4sLLL"), struct.Struct("<4sLQQ"))


@dataclass(frozen=True, slots=True)
class Local:
    """A member as its local header and descriptor give it.

    Attributes:
        member: Name, place, sizes and CRC.
        raw_name: The name as the file spells it.
        flags: General purpose bits.
        needed: Version that reading it needs.
        time: DOS time and date, as one number.
        end: First byte behind the member and its descriptor.
    """

    member: Member
    raw_name: bytes
    flags: int
    needed: int
    time: int
    end: int


def locals_of(source: Source, at: int = 0) -> Iterator[Local]:
    """Yield the members from a local header on, in the order of the file, until one cannot be followed."""
    for _ in range(MAX_MEMBERS):
        try:
            local = _local(source, at)
        except (CkptkitError, struct.error):
            return
        if local is None:
            return
        yield local
        at = local.end


def _local(source: Source, at: int) -> Local | None:
    head = source.read(at, LOCAL.size)
    magic, needed, flags, method, time, date, *rest = LOCAL.unpack(head)
    crc, packed, size, name_length, extra_length = rest
    if magic != LOCAL_MAGIC or flags & _ENCRYPTED or method not in (STORED, DEFLATED):
        return None
    raw = source.read(at + LOCAL.size, name_length)
    name = decode(raw, flags, source.name)
    start = at + LOCAL.size + name_length + extra_length
    wide = zip64_values(source.read(start - extra_length, extra_length), source.name)
    if wide is not None and len(wide) >= 2 and FULL32 in (packed, size):
        size, packed = wide[:2]
    end = start + packed
    if flags & HAS_DESCRIPTOR:
        found = _descriptor(source, start)
        if found is None:
            return None
        crc, packed, size, end = found
    if end > source.size or (method == STORED and packed != size):
        return None
    member = Member(name, at, start, packed, size, crc, method)
    return Local(member, raw, flags, needed, time | date << 16, end)


def _descriptor(source: Source, start: int) -> tuple[int, int, int, int] | None:
    """Return CRC, sizes and end of a member whose data starts at `start`; None where nothing says them."""
    for place in _places(source, start):
        for form in _DESCRIPTORS:
            end = place + form.size
            if end > source.size:
                continue
            _, crc, packed, size = form.unpack(source.read(place, form.size))
            behind = source.read(end, min(4, source.size - end))
            if packed == place - start and (behind in (LOCAL_MAGIC, CENTRAL_MAGIC) or _may_end(behind)):
                return crc, packed, size, end
    return None


def _may_end(behind: bytes) -> bool:
    """Whether the archive is cut off, or overwritten with zeros, behind a member."""
    return not any(behind) or CENTRAL_MAGIC.startswith(behind)


def _places(source: Source, start: int) -> Iterator[int]:
    """Yield where the mark of a descriptor stands, from `start` on."""
    at = start
    while at < source.size:
        piece = source.read(at, min(_PIECE_BYTES, source.size - at))
        found = piece.find(DESCRIPTOR_MAGIC)
        while found >= 0:
            yield at + found
            found = piece.find(DESCRIPTOR_MAGIC, found + 1)
        if len(piece) < _PIECE_BYTES:
            return
        at += len(piece) - len(DESCRIPTOR_MAGIC) + 1
