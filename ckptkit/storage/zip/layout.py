"""Records of a zip file as bytes, and the bounds put on them.

Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5; all integers are little-endian.
"""

import struct
from typing import NamedTuple, NoReturn

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR64 = struct.Struct("<4sLQL")

LOCAL_MAGIC = b"PK\x03\x04"
CENTRAL_MAGIC = b"PK\x01\x02"
END_MAGIC = b"PK\x05\x06"
END64_MAGIC = b"PK\x06\x06"
LOCATOR64_MAGIC = b"PK\x06\x07"
DESCRIPTOR_MAGIC = b"PK\x07\x08"

STORED, DEFLATED = 0, 8
HAS_DESCRIPTOR = 0x08
"""The flag that says that sizes and CRC are repeated behind the data."""
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
"""In a 16- or 32-bit field: the value stands in a zip64 record."""

MAX_MEMBERS = 200_000
MAX_NAME_BYTES = 1024
MAX_DIRECTORY_BYTES = 64 << 20
MAX_INFLATED_BYTES = 16 << 30
"""Bound on what all deflated members of one archive may grow to."""
MAX_RATIO = 200
"""Bound on growth by inflation, for members of more than `FREE_RATIO_BYTES`."""
FREE_RATIO_BYTES = 1 << 20
MAX_WHOLE_RATIO = 16
"""Bound on growth by inflation of a member that is held in memory, above `FREE_WHOLE_BYTES`."""
FREE_WHOLE_BYTES = 4 << 20


class Entry(NamedTuple):
    """One record of the central directory.

    Attributes:
        name: Member name, decoded.
        raw_name: The same as the file spells it.
        flags: General purpose bits.
        method: 0 stored, 8 deflated.
        crc32: Of the member's bytes.
        compressed_size: Bytes in the archive.
        size: Bytes of the member.
        header_offset: Where its local header starts.
    """

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc32: int
    compressed_size: int
    size: int
    header_offset: int

    @property
    def has_descriptor(self) -> bool:
        """Whether sizes and CRC are repeated behind the data."""
        return bool(self.flags & HAS_DESCRIPTOR)


def refuse(what: str, where: str) -> NoReturn:
    """Raise the error for an archive that breaks the rules, or has more than one reading."""
    raise UnreadableCheckpointError(what, where=where)


def over_limit(what: str, where: str) -> NoReturn:
    """Raise the error for an archive beyond a bound of this module."""
    raise LimitExceededError(what, where=where)
