"""Zip archives read strictly: a file that two readers could read differently is refused.

Python's reader looks names up in the central directory and takes the last of equal names;
torch's takes the first and ignores case; others walk the local headers. So every byte must be
accounted for, from a local header at byte 0 to an end record without a comment, and every local
header must repeat the directory.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

from ckptkit.errors import CkptkitError
from ckptkit.model.source import Source
from ckptkit.storage.source import MemorySource
from ckptkit.storage.zip.central import parse
from ckptkit.storage.zip.end import find_directory
from ckptkit.storage.zip.layout import (
    DEFLATED,
    END_MAGIC,
    FREE_WHOLE_BYTES,
    LOCAL_MAGIC,
    MAX_INFLATED_BYTES,
    MAX_WHOLE_RATIO,
    over_limit,
    refuse,
)
from ckptkit.storage.zip.local import data_offset
from ckptkit.storage.zip.members import InflatedSource, Member, StoredSource

SMALL_BYTES = 256 << 10
"""An archive of up to so many bytes is read at once for its headers."""

__all__ = ["Member", "ZipArchive", "is_zip"]


def is_zip(head: bytes) -> bool:
    """Whether a file that starts with `head` claims to be a zip archive."""
    return head[:4] in (LOCAL_MAGIC, END_MAGIC)


def _at_hand(source: Source) -> Source:
    """Return a small archive in memory: its headers, one by one, take far longer to read.

    One that cannot be read whole is left as it is: what is wrong with it is said where it is met.
    """
    if source.size > SMALL_BYTES:
        return source
    try:
        return MemorySource(source.read(0, source.size), source.name)
    except CkptkitError:
        return source


class ZipArchive:
    """The members of a zip archive; their bytes stay on disk.

    Attributes:
        source: The whole archive.
        members: Members by name, in the order in which they lie in the file.
    """

    __slots__ = ("_sources", "members", "source")

    def __init__(self, source: Source, members: Mapping[str, Member]) -> None:
        self.source = source
        self.members = members
        self._sources: dict[str, StoredSource | InflatedSource] = {}

    @classmethod
    def open(cls, source: Source) -> Self:
        """Read the directory and every local header.

        Raises:
            UnreadableCheckpointError: The archive is broken or has more than one reading; the
                message names the member and what is wrong with it.
            LimitExceededError: It is over a bound of `storage.zip.layout`.
        """
        headers = _at_hand(source)
        directory = find_directory(headers)
        entries = parse(headers.read(directory.offset, directory.size), directory.count, source.name)
        inflated = sum(entry.size for entry in entries if entry.method == DEFLATED)
        if inflated > MAX_INFLATED_BYTES:
            what = f"deflated members would grow to {inflated} bytes, over the limit of {MAX_INFLATED_BYTES}"
            over_limit(what, source.name)
        entries.sort(key=lambda entry: entry.header_offset)
        starts = [entry.header_offset for entry in entries] + [directory.offset]
        if starts[0]:
            refuse(f"{starts[0]} bytes before the first zip member", source.name)
        members = {}
        for entry, end in zip(entries, starts[1:], strict=True):
            name, _, _, method, crc, packed, size, start = entry
            offset = data_offset(headers, entry, end)
            members[name] = Member(name, start, offset, packed, size, crc, method)
        return cls(source, MappingProxyType(members))

    def source_of(self, name: str) -> Source:
        """Return the bytes of a member; always the same object for a name.

        Raises:
            UnreadableCheckpointError: There is no such member.
        """
        return self._open(name)

    def read(self, name: str, limit: int) -> bytes:
        """Return a whole member, checked against its CRC.

        Raises:
            LimitExceededError: It is longer than `limit` bytes, or deflated far more than a pickle is.
            UnreadableCheckpointError: It is missing or corrupt.
        """
        source = self._open(name)
        if source.size > limit:
            over_limit(f"{source.size} bytes, over the limit of {limit}", source.name)
        packed = self.members[name].compressed_size
        if source.size > max(packed, FREE_WHOLE_BYTES, MAX_WHOLE_RATIO * packed):
            what = f"{packed} bytes would inflate to {source.size} in memory, over {MAX_WHOLE_RATIO} times"
            over_limit(f"{what} as much", source.name)
        data = source.read(0, source.size)
        source.verify()
        return data

    def check_crc(self, name: str) -> None:
        """Compare a member with its CRC, in bounded memory; no work where reads have done so.

        Raises:
            UnreadableCheckpointError: It is missing or corrupt.
        """
        self._open(name).verify()

    def _open(self, name: str) -> StoredSource | InflatedSource:
        source = self._sources.get(name)
        if source is None:
            member = self.members.get(name)
            if member is None:
                refuse(f"zip has no member {name!r}", self.source.name)
            source = (InflatedSource if member.method == DEFLATED else StoredSource)(self.source, member)
            self._sources[name] = source
        return source
