"""The one form that the archive of a v2 torch dict has, byte for byte.

All that is not the contents of a member follows from the members' names, sizes and CRCs. Writers
build it with these functions; `deviations` builds it again and compares, so that no byte of an
archive is left that nothing covers.

Sources: PKWARE APPNOTE 6.3.10; torch 2.13.0, `caffe2/serialize/inline_container.cc` (`getPadding`).
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckptkit.model.source import Source
from ckptkit.storage.zip import ZipArchive
from ckptkit.storage.zip.layout import (
    CENTRAL,
    CENTRAL_MAGIC,
    END,
    END64,
    END64_MAGIC,
    END_MAGIC,
    FULL16,
    FULL32,
    LOCAL,
    LOCAL_MAGIC,
    LOCATOR64,
    LOCATOR64_MAGIC,
)

ROOT = "archive/"
ALIGNMENT = 64
"""The data of each member starts at a multiple of this."""
CONSTANTS = {
    ".format_version": b"1",
    ".storage_alignment": str(ALIGNMENT).encode(),
    "byteorder": b"little",
    "version": b"3\n",
}
"""Members whose contents are always the same, in their order, behind `data.pkl`."""
PICKLE, DIGEST = "data.pkl", "ckpt.sha256"

_DIGEST_LINE = re.compile(rb"[0-9a-f]{64}\n")
_DATE = 0x21
"""1980-01-01, the first day that a zip can name; the time is midnight."""
_PLAIN, _WIDE = 20, 45
"""Version needed to extract: with zip64 it is 4.5."""
_PADDING = 0x4246
"""Id of the extra field that fills up to the alignment; torch uses the same (`FB`)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One stored member.

    Attributes:
        name: With the root folder.
        size: Of its contents.
        crc32: Of its contents.
        offset: Where its local header starts.
    """

    name: str
    size: int
    crc32: int
    offset: int


def local_header(member: Placed, wide_from: int = FULL32) -> bytes:
    """Return the local header, padded so that the data behind it is aligned.

    Args:
        member: Whose header it is; the CRC does not change its length.
        wide_from: Size from which zip64 fields are used.
    """
    name, wide = member.name.encode(), member.size >= wide_from
    extra = struct.pack("<HHQQ", 1, 16, member.size, member.size) if wide else b""
    fixed = LOCAL.size + len(name) + len(extra) + 4
    padding = -(member.offset + fixed) % ALIGNMENT
    extra += struct.pack("<HH", _PADDING, padding) + bytes(padding)
    size = FULL32 if wide else member.size
    needed = _WIDE if wide else _PLAIN
    head = LOCAL.pack(LOCAL_MAGIC, needed, 0, 0, 0, _DATE, member.crc32, size, size, len(name), len(extra))
    return head + name + extra


def directory(members: Sequence[Placed], offset: int, wide_from: int = FULL32) -> bytes:
    """Return the central directory and the end records.

    Args:
        members: In file order.
        offset: Where the directory starts.
        wide_from: Size or offset from which zip64 fields are used.
    """
    records = b"".join(_record(member, wide_from) for member in members)
    count, size, end = len(members), len(records), offset + len(records)
    if count < FULL16 and offset < wide_from and end < wide_from:
        return records + END.pack(END_MAGIC, 0, 0, count, count, size, offset, 0)
    wide = END64.pack(
        END64_MAGIC, END64.size - 12, _WIDE, _WIDE, 0, 0, count, count, size, offset
    ) + LOCATOR64.pack(LOCATOR64_MAGIC, 0, end, 1)
    return records + wide + END.pack(END_MAGIC, 0, 0, FULL16, FULL16, FULL32, FULL32, 0)


def _record(member: Placed, wide_from: int) -> bytes:
    name = member.name.encode()
    size, at, extra = member.size, member.offset, b""
    if member.size >= wide_from:
        extra, size = struct.pack("<QQ", member.size, member.size), FULL32
    if member.offset >= wide_from:
        extra, at = extra + struct.pack("<Q", member.offset), FULL32
    needed = _PLAIN
    if extra:
        extra, needed = struct.pack("<HH", 1, len(extra)) + extra, _WIDE
    sizes = (member.crc32, size, size, len(name), len(extra))
    head = CENTRAL.pack(CENTRAL_MAGIC, needed, needed, 0, 0, 0, _DATE, *sizes, 0, 0, 0, 0, at)
    return head + name + extra


def deviations(archive: ZipArchive, *, wide_from: int = FULL32) -> tuple[str, ...]:
    """Say where an archive is not of the canonical form, each with its member or byte offset.

    The contents of `data/N` and of `data.pkl` are left to their digests; of `ckpt.sha256` only the
    form is compared.

    Args:
        archive: A torch zip.
        wide_from: Size or offset from which zip64 fields are used.
    """
    return tuple(_deviations(archive, wide_from))


def _deviations(archive: ZipArchive, wide_from: int) -> Iterator[str]:
    names, tensors = list(archive.members), sum("/data/" in name for name in archive.members)
    expected = [f"{ROOT}data/{number}" for number in range(tensors)]
    expected += [ROOT + name for name in (PICKLE, *CONSTANTS, DIGEST)]
    if names != expected:
        wrong = next((a for a, b in zip(names, expected, strict=False) if a != b), "")
        rest = sorted(set(names) ^ set(expected))
        yield f"member {wrong or rest[0]} is not where the canonical order has it, or one is missing"
        return
    at, placed = 0, []
    for name, member in archive.members.items():
        place = Placed(name, member.size, member.crc32, at)
        yield from _compare(archive.source, local_header(place, wide_from), at, f"local header of {name}")
        placed.append(place)
        at += len(local_header(place, wide_from)) + member.size
    for name, content in CONSTANTS.items():
        if archive.members[ROOT + name].size != len(content) or archive.read(ROOT + name, 64) != content:
            yield f"member {ROOT}{name} does not hold {content!r}"
    if not _DIGEST_LINE.fullmatch(archive.read(ROOT + DIGEST, 1 << 20)):
        yield f"member {ROOT}{DIGEST} does not hold 64 hexadecimal digits and a newline"
    tail = directory(placed, at, wide_from)
    yield from _compare(archive.source, tail, at, "central directory")
    if archive.source.size != at + len(tail):
        yield f"file of {archive.source.size} bytes, the canonical form has {at + len(tail)}"


def _compare(source: Source, expected: bytes, at: int, what: str) -> Iterator[str]:
    """Yield the first byte of `source` from `at` that is not as expected."""
    found = source.read(at, min(len(expected), max(source.size - at, 0))) if at <= source.size else b""
    if found != expected:
        differing = (i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b)
        yield f"{what}: byte {at + next(differing, len(found))} is not as the canonical form has it"
