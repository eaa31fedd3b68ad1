"""Zip archives whose sums are made right again, so that changed bytes get past them."""

import struct
import zlib

from ckptkit.errors import CkptkitError
from ckptkit.storage.source import MemorySource
from ckptkit.storage.zip import ZipArchive
from ckptkit.storage.zip.end import find_directory
from ckptkit.storage.zip.layout import CENTRAL, DEFLATED

_CRC_LOCAL, _CRC_CENTRAL = 14, 16
_MOST_BYTES = 1 << 24


def with_sums(data: bytes) -> bytes:
    """Return an archive with the CRC that each member should have; any other bytes as they are."""
    try:
        source = MemorySource(data, "x.zip")
        archive, directory = ZipArchive.open(source), find_directory(source)
    except CkptkitError:
        return data
    made = bytearray(data)
    by_offset = {member.header_offset: member for member in archive.members.values()}
    at = directory.offset
    while at < directory.offset + directory.size:
        fields = CENTRAL.unpack_from(made, at)
        member = by_offset.get(fields[16])
        if member is not None and not fields[3] & 0x08:
            content = made[member.offset : member.offset + member.compressed_size]
            crc = zlib.crc32(_inflated(content) if member.method == DEFLATED else content)
            struct.pack_into("<L", made, at + _CRC_CENTRAL, crc)
            struct.pack_into("<L", made, member.header_offset + _CRC_LOCAL, crc)
        at += CENTRAL.size + sum(fields[10:13])
    return bytes(made)


def _inflated(packed: bytes) -> bytes:
    """Return what a raw deflate stream holds, as far as it goes."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _MOST_BYTES)
    except zlib.error:
        return b""
