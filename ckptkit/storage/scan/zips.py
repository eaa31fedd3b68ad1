"""Members of zip archives: their first bytes at little cost, and those of archives that are broken."""

import zlib
from collections.abc import Iterator
from contextlib import suppress

from ckptkit.errors import CkptkitError
from ckptkit.model.source import Source
from ckptkit.storage.scan.kinds import HEAD_BYTES
from ckptkit.storage.zip import ZipArchive
from ckptkit.storage.zip.layout import DEFLATED
from ckptkit.storage.zip.members import InflatedSource, StoredSource
from ckptkit.storage.zip.salvage import members

_PACKED_BYTES = 4096
_FEW = 1000
"""Members of a broken archive that are looked at."""


def head_of(archive: ZipArchive, name: str) -> bytes:
    """Return the first bytes of a member; a deflated one is not inflated for them as a whole."""
    member = archive.members[name]
    if member.method != DEFLATED:
        return archive.source_of(name).read(0, min(member.size, HEAD_BYTES))
    packed = archive.source.read(member.offset, min(member.compressed_size, _PACKED_BYTES))
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, HEAD_BYTES)
    except zlib.error:
        archive.check_crc(name)  # says what is wrong
        return b""


def recovered(source: Source) -> Iterator[tuple[str, Source]]:
    """Yield name and bytes of what the local headers of a broken archive tell, as far as they do."""
    for number, member in enumerate(members(source)):
        if number == _FEW:
            return
        opened = (InflatedSource if member.method == DEFLATED else StoredSource)(source, member)
        with suppress(CkptkitError):
            opened.verify()
            yield member.name, opened
