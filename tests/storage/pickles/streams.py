"""Small pickles written opcode by opcode, and a sentinel that shows whether something ran."""

import struct

from ckptkit.storage.pickles import Pickle, load


def read(data: bytes, **options: object) -> Pickle:
    return load(data, where="test.pkl", **options)  # type: ignore[arg-type]


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def short(value: str) -> bytes:
    raw = value.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def name(module: str, qualified: str) -> bytes:
    return b"c" + module.encode() + b"\n" + qualified.encode() + b"\n"


def stack_name(module: str, qualified: str) -> bytes:
    return short(module) + short(qualified) + b"\x93"


def frame(body: bytes) -> bytes:
    return b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body
