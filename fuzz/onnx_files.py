"""ONNX files for the fuzzing: what is read of one, seeds, and changes that know a little of protobuf."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from ckptkit.storage.onnx import open_onnx
from ckptkit.storage.source import MemorySource

CHILDREN = {
    "model": {7: "graph", 8: "leaf", 14: "leaf", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 9: "leaf", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 11: "leaf", 12: "leaf", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "leaf"},
    "leaf": {},
}
"""Fields that are messages themselves, of each kind of message that is taken apart."""
MOST_BYTES = 1 << 15
_NUMBERS = (0, 1, 2, 3, 8, 9, 10, 14, 15, 16, 28, 127, 128, 255, 2**31, 2**32 - 1, 2**53, 2**63, 2**64 - 1)
_TEXTS = (
    b"",
    b"a",
    b"..",
    b"../a",
    b"/etc/passwd",
    b"a/b",
    b"\0",
    b"\xff",
    b"location",
    b"offset",
    b"-1",
    b"8",
)
_TENSOR_FIELDS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 13, 14)

Field = list[Any]
"""Number, wire type, and a number, bytes, or the fields of a message."""


def read(data: bytes) -> None:
    """Read an ONNX file without what lies beside it."""
    for tensor in open_onnx(MemorySource(data, "model.onnx")).tensors.values():
        for _ in tensor.pieces(1 << 12):
            pass


def seeds(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every ONNX file below a folder."""
    for path in sorted(folder.rglob("*.onnx")):
        yield "-".join(path.relative_to(folder).parts), path.read_bytes()


def varint(value: int) -> bytes:
    """Return the shortest form of a number."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def taken_apart(data: bytes, kind: str = "model") -> list[Field]:
    """Return the fields of a message, and theirs.

    Raises:
        ValueError: It is none.
    """
    fields, at = [], 0
    while at < len(data):
        tag, at = _number(data, at)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == 0:
            value, at = _number(data, at)
        else:
            length, at = _number(data, at) if wire == 2 else ({1: 8, 5: 4}.get(wire, len(data)), at)
            value, at = data[at : at + length], at + length
        inner = CHILDREN[kind].get(number)
        if inner and wire == 2 and inner != "leaf":
            value = taken_apart(value, inner)
        fields.append([number, wire, value])
    return fields


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(10):
        if at >= len(data):
            raise ValueError("a number without an end")
        value |= (data[at] & 0x7F) << 7 * shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("a number of more than 64 bits")


def joined(fields: list[Field]) -> bytes:
    """Return the bytes of a message."""
    made = b""
    for number, wire, value in fields:
        body = joined(value) if isinstance(value, list) else value
        made += varint(number << 3 | wire)
        if wire == 0:
            made += varint(body) if isinstance(body, int) else body
        else:
            body = varint(body) if isinstance(body, int) else body
            made += (varint(len(body)) if wire == 2 else b"") + body
    return made


def changed(data: bytes, random: Random) -> bytes:
    """Remove, repeat, move or replace fields of any message of a file.

    Raises:
        ValueError: It is no message.
    """
    fields = taken_apart(data)
    for _ in range(random.randint(1, 3)):
        _change(random.choice(list(_messages(fields))), random)
    return joined(fields)[:MOST_BYTES]


def _messages(fields: list[Field]) -> Iterator[list[Field]]:
    yield fields
    for _, _, value in fields:
        if isinstance(value, list):
            yield from _messages(value)


def _change(fields: list[Field], random: Random) -> None:
    if not fields:
        fields.append([random.choice(_TENSOR_FIELDS), 0, random.choice(_NUMBERS)])
        return
    at, other = random.randrange(len(fields)), random.randrange(len(fields))
    match random.randrange(8):
        case 0:
            del fields[at]
        case 1:
            fields.insert(at, list(fields[other]))
        case 2:
            fields[at], fields[other] = fields[other], fields[at]
        case 3:
            fields[at][0] = random.choice((*_TENSOR_FIELDS, fields[other][0], random.randrange(1, 30)))
        case 4:
            fields.insert(at, [random.choice(_TENSOR_FIELDS), *random.choice(_forms(random))])
        case _:
            fields[at][2] = _value(fields[at], random)


def _forms(random: Random) -> list[Field]:
    numbers = b"".join(varint(random.choice(_NUMBERS)) for _ in range(random.randrange(4)))
    return [
        [0, random.choice(_NUMBERS)],
        [2, random.choice(_TEXTS)],
        [2, numbers],
        [5, random.randbytes(4)],
        [1, random.randbytes(8)],
    ]


def _value(field: Field, random: Random) -> Any:
    """Return another value of a field, of the same wire type in most cases."""
    value = field[2]
    if isinstance(value, int):
        near = (value + 1, max(value - 1, 0), value * 2 & (2**64 - 1))
        return random.choice((*near, random.choice(_NUMBERS)))
    if isinstance(value, list):
        return joined(value)[: random.randrange(len(value) + 1)]
    match random.randrange(4):
        case 0:
            return random.choice(_TEXTS)
        case 1:
            return value[: random.randrange(len(value) + 1)]
        case 2:
            return value + random.choice((b"\0", value[:4], varint(random.choice(_NUMBERS))))
        case _:
            made = bytearray(value)
            if made:
                made[random.randrange(len(made))] = random.choice(
                    (0, 1, 0x7F, 0x80, 0xFF, random.randrange(256))
                )
            return bytes(made)
