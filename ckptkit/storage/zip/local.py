"""Local headers of a zip file: each must say what the central directory says."""

import struct

from ckptkit.model.source import Source
from ckptkit.storage.zip.central import zip64_values
from ckptkit.storage.zip.layout import (
    DESCRIPTOR_MAGIC,
    FULL32,
    HAS_DESCRIPTOR,
    LOCAL,
    LOCAL_MAGIC,
    Entry,
    refuse,
)

_AHEAD_BYTES = 512
"""Read with a local header, so that one read is enough for a short extra field."""
_SMALL_BYTES = 8 << 10
"""A member of up to so many bytes is read whole: a second read, for what is behind it, would cost more."""
_DESCRIPTORS = {form.size: form for form in map(struct.Struct, ("<LLL", "<4sLLL", "<LQQ", "<4sLQQ"))}
"""Forms of the data descriptor by length: with or without signature, 32- or 64-bit sizes."""


def data_offset(source: Source, entry: Entry, end: int) -> int:
    """Return where the data of a member starts.

    Every byte from the local header to `end` must be accounted for: header, name, extra field,
    data and, where announced, the data descriptor.

    Args:
        source: The archive.
        entry: Its record in the central directory.
        end: Where the next member or the directory starts.

    Raises:
        UnreadableCheckpointError: Header and directory disagree, members overlap, or there are
            bytes that belong to nothing.
    """
    name, raw_name, known_flags, known_method, crc32, compressed, full, at = entry
    where = f"{source.name}:{name}"
    fixed = LOCAL.size + len(raw_name)
    whole = end - at
    overhead = whole - compressed
    if overhead < fixed:
        refuse("member overlaps what follows it", where)
    head = source.read(at, whole if whole <= _SMALL_BYTES else min(whole, fixed + _AHEAD_BYTES))
    magic, _, flags, method, _, _, crc, packed, size, name_len, extra_len = LOCAL.unpack_from(head)
    if magic != LOCAL_MAGIC:
        refuse(f"no local header at byte {at}", where)
    if name_len != len(raw_name) or head[LOCAL.size : fixed] != raw_name:
        refuse("local header has another name than the directory", where)
    if flags != known_flags or method != known_method:
        refuse("local header has other flags or another method than the directory", where)
    rest = overhead - fixed - extra_len
    if rest < 0:
        refuse("member overlaps what follows it", where)
    wide = zip64_values(_part(source, entry, head, fixed, extra_len), where) if extra_len else None
    unset = flags & HAS_DESCRIPTOR and not (crc or packed or size)
    if wide is not None or not (unset or (crc == crc32 and packed == compressed and size == full)):
        _check_sizes(entry, (crc, packed, size), wide, where)
    if rest or flags & HAS_DESCRIPTOR:
        gap = _part(source, entry, head, fixed + extra_len + compressed, min(rest, 25))
        _check_gap(entry, gap, rest, where)
    start: int = at + fixed + extra_len
    return start


def _part(source: Source, entry: Entry, head: bytes, at: int, length: int) -> bytes:
    """Return bytes at a distance from the local header, out of `head` where they are in it."""
    if at + length <= len(head):
        return head[at : at + length]
    return source.read(entry.header_offset + at, length)


def _check_sizes(entry: Entry, found: tuple[int, int, int], wide: tuple[int, ...] | None, where: str) -> None:
    """Compare CRC and sizes; with a descriptor they may be zero."""
    crc, packed, size = found
    unset = (0,) if entry.has_descriptor else ()
    if wide is not None:
        real = (entry.size, entry.compressed_size)
        # What torch (miniz) and Python write: sizes, then the header offset; either may be alone.
        known = {real, (*real, entry.header_offset), (entry.header_offset,)}
        if unset:
            known |= {(0, 0), (0, 0, entry.header_offset)}
            known |= {(entry.size, 0), (entry.size, 0, entry.header_offset)}
        if wide not in known or (FULL32 in (packed, size) and len(wide) == 1):
            refuse("zip64 sizes of the local header differ from the directory", where)
        unset = (*unset, FULL32)
    if crc not in (entry.crc32, *unset[:1]) or not (
        packed in (entry.compressed_size, *unset) and size in (entry.size, *unset)
    ):
        refuse("local header has another size or CRC than the directory", where)


def _check_gap(entry: Entry, gap: bytes, length: int, where: str) -> None:
    """Take the bytes behind the data for the descriptor: its length tells its form."""
    form = _DESCRIPTORS.get(length) if entry.has_descriptor else None
    if form is None:
        refuse(f"{length} bytes behind the member belong to nothing", where)
    found = form.unpack(gap)
    if len(found) > 3 and found[0] != DESCRIPTOR_MAGIC:
        refuse("data descriptor has no signature", where)
    if found[-3:] != (entry.crc32, entry.compressed_size, entry.size):
        refuse("data descriptor has another size or CRC than the directory", where)
