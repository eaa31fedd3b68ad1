"""The end of a zip file: where its one central directory lies."""

from dataclasses import dataclass

from ckptkit.model.source import Source
from ckptkit.storage.zip.layout import (
    END,
    END64,
    END64_MAGIC,
    END_MAGIC,
    FULL16,
    FULL32,
    LOCATOR64,
    LOCATOR64_MAGIC,
    MAX_DIRECTORY_BYTES,
    MAX_MEMBERS,
    over_limit,
    refuse,
)

_LONGEST_COMMENT = 0xFFFF


@dataclass(frozen=True, slots=True)
class Directory:
    """Place of the central directory.

    Attributes:
        offset: First byte, which is also the end of the last member.
        size: Length in bytes.
        count: Number of records.
    """

    offset: int
    size: int
    count: int


def find_directory(source: Source) -> Directory:
    """Read the end records; nothing may stand behind them and nothing between them.

    Raises:
        UnreadableCheckpointError: Truncated, trailing bytes or a comment, several disks, or end
            records that contradict each other.
        LimitExceededError: The directory is over a bound.
    """
    at = source.size - END.size
    if at < 0:
        refuse("truncated zip: shorter than an end record", source.name)
    magic, disk, start_disk, here, count, size, offset, comment = END.unpack(source.read(at, END.size))
    if magic != END_MAGIC or comment:
        refuse(_why_no_end(source), source.name)
    values: tuple[int, ...] = (disk, start_disk, here, count, size, offset)
    has64 = at >= LOCATOR64.size and source.read(at - LOCATOR64.size, 4) == LOCATOR64_MAGIC
    end = at
    if has64:
        end = at - LOCATOR64.size - END64.size
        values = _merge(values, _read_end64(source, end), source.name)
    disk, start_disk, here, count, size, offset = values
    if disk or start_disk or here != count:
        refuse("is one disk of a zip that was split over several", source.name)
    if count > MAX_MEMBERS or size > MAX_DIRECTORY_BYTES:
        over_limit(f"has {count} members in a directory of {size} bytes, over the limit", source.name)
    if offset + size != end:
        refuse(
            f"the zip directory should end at byte {offset + size} and its end record stands at {end}",
            source.name,
        )
    return Directory(offset, size, count)


def _why_no_end(source: Source) -> str:
    reach = min(source.size, END.size + _LONGEST_COMMENT)
    if END_MAGIC in source.read(source.size - reach, reach - END.size + len(END_MAGIC)):
        return "bytes or a comment behind the zip end record, or a truncated zip"
    return "truncated zip: no end record"


def _read_end64(source: Source, end: int) -> tuple[int, ...]:
    """Return disk, start disk, entries here, entries, size and offset of the zip64 end record."""
    if end < 0:
        refuse("zip64 end record lies outside the file", source.name)
    magic, length, _, _, *values = END64.unpack(source.read(end, END64.size))
    _, disk, offset, disks = LOCATOR64.unpack(source.read(end + END64.size, LOCATOR64.size))
    if magic != END64_MAGIC or length != END64.size - 12 or offset != end:
        refuse("zip64 end record is not where its locator says, or not of the known form", source.name)
    if disk or disks != 1:
        refuse("is one disk of a zip that was split over several", source.name)
    return tuple(values)


def _merge(classic: tuple[int, ...], wide: tuple[int, ...], where: str) -> tuple[int, ...]:
    full = (FULL16, FULL16, FULL16, FULL16, FULL32, FULL32)
    for old, new, none in zip(classic, wide, full, strict=True):
        if old not in (new, none):
            refuse(f"zip end record says {old} where the zip64 end record says {new}", where)
    return wide
