"""Local headers of a zip file: each must say what the central directory says."""

import struct

from ckptkit.model.source import Source
from ckptkit.storage.zip.central import zip64_values
from ckptkit.storage.zip.layout import DESCRIPTOR_MAGIC, FULL32, LOCAL, LOCAL_MAGIC, Entry, refuse

_AHEAD_BYTES = 512
"""Read with a local header, so that one read is enough for a small member."""
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
    where = f"{source.name}:{entry.name}"
    overhead = end - entry.header_offset - entry.compressed_size
    fixed = LOCAL.size + len(entry.raw_name)
    if overhead < fixed:
        refuse("member overlaps what follows it", where)
    head = source.read(entry.header_offset, min(end - entry.header_offset, fixed + _AHEAD_BYTES))
    magic, _, flags, method, _, _, crc, packed, size, name_len, extra_len = LOCAL.unpack_from(head)
    if magic != LOCAL_MAGIC:
        refuse(f"no local header at byte {entry.header_offset}", where)
    if head[LOCAL.size : fixed] != entry.raw_name or name_len != len(entry.raw_name):
        refuse("local header has another name than the directory", where)
    if (flags, method) != (entry.flags, entry.method):
        refuse("local header has other flags or another method than the directory", where)
    rest = overhead - fixed - extra_len
    if rest < 0:
        refuse("member overlaps what follows it", where)
    if extra_len:
        extra = _part(source, entry, head, fixed, extra_len)
        wide = zip64_values(extra, where)
    else:
        wide = None
    _check_sizes(entry, (crc, packed, size), wide, where)
    if rest or entry.has_descriptor:
        gap = _part(source, entry, head, fixed + extra_len + entry.compressed_size, min(rest, 25))
        _check_gap(entry, gap, rest, where)
    start: int = entry.header_offset + fixed + extra_len
    return start


def _part(source: Source, entry: Entry, head: bytes, at: int, length: int) -> bytes:
    """Return bytes at a distance from the local header, out of `head` where they are in it."""
    if at + length <= len(head):
        return head[at : at + length]
    return source.read(entry.header_offset + at, length)


def _check_sizes(entry: Entry, found: tuple[int, int, int], wide: tuple[int, ...] | None, where: str) -> None:
    """Compare CRC and sizes; with a descriptor they may be zero."""
    if wide is None and found == (entry.crc32, entry.compressed_size, entry.size):
        return
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
    *magic, crc, packed, size = form.unpack(gap)
    if magic and magic != [DESCRIPTOR_MAGIC]:
        refuse("data descriptor has no signature", where)
    if (crc, packed, size) != (entry.crc32, entry.compressed_size, entry.size):
        refuse("data descriptor has another size or CRC than the directory", where)
