"""Zip archives with any field as a test wants it."""

import struct
import zlib
from dataclasses import dataclass, field

from ckptkit.storage.source import MemorySource
from ckptkit.storage.zip import ZipArchive

LOCAL_FIELDS = ("version", "flags", "method", "time", "date", "crc", "packed", "size")


@dataclass
class M:
    """One member; `local` and `central` override fields of the two headers."""

    name: str | bytes
    data: bytes = b""
    method: int = 0
    flags: int = 0x800
    local: dict = field(default_factory=dict)
    central: dict = field(default_factory=dict)
    local_extra: bytes = b""
    central_extra: bytes = b""
    descriptor: bytes | str = b""
    comment: bytes = b""
    gap: bytes = b""


def extra(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def zip64(*values: int) -> bytes:
    return extra(1, struct.pack(f"<{len(values)}Q", *values))


def deflate(data: bytes, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, wbits=-15)
    return packer.compress(data) + packer.flush()


def zip_bytes(*members: M, prefix=b"", between=b"", suffix=b"", end=None, wide=None, comment=b"") -> bytes:
    """Return an archive; `wide` adds the zip64 end records with those overrides."""
    body, central = bytearray(prefix), bytearray()
    for m in members:
        raw = m.name if isinstance(m.name, bytes) else m.name.encode()
        packed = deflate(m.data) if m.method == 8 else m.data
        real = {
            "version": 20, "flags": m.flags, "method": m.method, "time": 0, "date": 33,
            "crc": zlib.crc32(m.data), "packed": len(packed), "size": len(m.data),
        }  # fmt: skip
        local = real | ({"crc": 0, "packed": 0, "size": 0} if m.descriptor else {}) | m.local
        offset = len(body)
        name = local.pop("name", raw)
        body += struct.pack(
            "<4s5H3L2H", b"PK\3\4", *(local[f] for f in LOCAL_FIELDS), len(name), len(m.local_extra)
        )
        body += name + m.local_extra + packed
        if isinstance(m.descriptor, str):
            form = {"16": "<4sLLL", "24": "<4sLQQ", "12": "<LLL", "20": "<LQQ"}[m.descriptor]
            signature = [b"PK\7\x08"] if form[1] == "4" else []
            body += struct.pack(form, *signature, real["crc"], real["packed"], real["size"])
        else:
            body += m.descriptor
        body += m.gap
        c = real | {"made": 0x031E, "disk": 0, "internal": 0, "external": 0, "offset": offset} | m.central
        central += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", c["made"], *(c[f] for f in LOCAL_FIELDS), len(raw),
            len(m.central_extra), len(m.comment), c["disk"], c["internal"], c["external"], c["offset"],
        )  # fmt: skip
        central += raw + m.central_extra + m.comment
    body += between
    e = {
        "disk": 0,
        "start": 0,
        "here": len(members),
        "count": len(members),
        "size": len(central),
        "offset": len(body),
    }
    tail = b""
    if wide is not None:
        w = e | {"length": 44, "locator": len(body) + len(central), "disks": 1} | wide
        tail = struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", w["length"], 45, 45, w["disk"], w["start"], w["here"], w["count"],
            w["size"], w["offset"],
        )  # fmt: skip
        tail += struct.pack("<4sLQL", b"PK\6\7", 0, w["locator"], w["disks"])
    e |= end or {}
    tail += struct.pack(
        "<4s4H2LH",
        b"PK\5\6",
        e["disk"],
        e["start"],
        e["here"],
        e["count"],
        e["size"],
        e["offset"],
        len(comment),
    )
    return bytes(body + central + tail + comment + suffix)


def opened(data: bytes) -> ZipArchive:
    return ZipArchive.open(MemorySource(data, "x.zip"))
