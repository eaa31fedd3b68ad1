"""Members of zip archives: their first bytes at little cost, and those of archives that are broken."""

import zlib
from collections.abc import Iterator
from contextlib import suppress

from ckptkit.errors import CkptkitError
from ckptkit.model.source import Source
from ckptkit.storage.scan.kinds import HEAD_BYTES
from ckptkit.storage.zip import ZipArchive
from ckptkit.storage.zip.layout import DEFLATED, LOCAL_MAGIC
from ckptkit.storage.zip.members import InflatedSource, StoredSource
from ckptkit.storage.zip.salvage import locals_of

_PACKED_BYTES = 4096
_GAP_BYTES = 1 << 20
"""How far the next header is looked for."""
_FEW = 1000
"""Headers of a broken archive that are looked at."""


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
    """Yield name and bytes of what the local headers of a broken archive tell, wherever they stand."""
    at, seen = 0, 0
    while at >= 0 and seen < _FEW:
        for local in locals_of(source, at):
            seen, at = seen + 1, local.end
            opened = (InflatedSource if local.member.method == DEFLATED else StoredSource)(
                source, local.member
            )
            with suppress(CkptkitError):
                opened.verify()
                yield local.member.name, opened
        seen += 1
        at = _next_header(source, at + 1)


def _next_header(source: Source, at: int) -> int:
    """Return where the next local header may stand; negative where none is near."""
    if at >= source.size:
        return -1
    found = source.read(at, min(_GAP_BYTES, source.size - at)).find(LOCAL_MAGIC)
    return at + found if found >= 0 else -1
