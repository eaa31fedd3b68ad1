"""Numbers that stand one by one: which bytes are one of a type, and reading from any place."""

from random import Random

import numpy as np
import pytest

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model.dtype import BY_NAME
from ckptkit.storage.onnx import values
from ckptkit.storage.onnx.values import Run, Values, count_of
from ckptkit.storage.onnx.wire import VARINT
from ckptkit.storage.source import MemorySource
from fuzz.onnx_files import varint

ENDS = {
    "BOOL": (0, 1),
    "U8": (0, 2**8 - 1),
    "F8_E4M3": (0, 2**8 - 1),
    "I8": (-(2**7), 2**7 - 1),
    "U16": (0, 2**16 - 1),
    "F16": (0, 2**16 - 1),
    "BF16": (0, 2**16 - 1),
    "I16": (-(2**15), 2**15 - 1),
    "I32": (-(2**31), 2**31 - 1),
    "U32": (0, 2**32 - 1),
    "I64": (-(2**63), 2**63 - 1),
    "U64": (0, 2**64 - 1),
}


def counted(dtype: str, data: bytes) -> int:
    return count_of(MemorySource(data, "m"), BY_NAME[dtype], VARINT, [Run(0, len(data), b"")])


def number(value: int) -> bytes:
    return varint(value & (2**64 - 1))


@pytest.mark.parametrize("dtype", ENDS)
def test_the_ends_of_a_type_are_in_and_what_is_beyond_is_not(dtype: str) -> None:
    low, high = ENDS[dtype]
    inside = [
        low,
        high,
        0,
        1,
        *(min(high, 1 << bit) for bit in range(64)),
        *(max(low, -1 << bit) for bit in range(63)),
    ]
    assert counted(dtype, b"".join(map(number, inside))) == len(inside)
    for value in (low - 1, high + 1, -(2**63), 2**63 - 1, 2**64 - 1):
        given = value & (2**64 - 1)
        meant = given - 2**64 if low < 0 and given >> 63 else given
        if not low <= meant <= high:
            with pytest.raises(UnreadableCheckpointError):
                counted(dtype, number(0) + number(value) + number(0))


@pytest.mark.parametrize("dtype", ["I32", "I64", "U64"])
@pytest.mark.parametrize(
    "data", [b"\x80", b"\xff" * 10, b"\xff" * 9 + b"\x02", b"\x01\x80", b"\xff" * 100_000]
)
def test_what_is_no_number_is_refused(dtype: str, data: bytes) -> None:
    with pytest.raises(UnreadableCheckpointError):
        counted(dtype, data)


@pytest.mark.parametrize("tagged", [False, True])
def test_any_part_is_read(tagged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "PIECE_BYTES", 64)
    random = Random(0)
    wanted = np.array([random.randrange(-(2**31), 2**31) >> random.randrange(32) for _ in range(500)], "<i4")
    tag = b"\x28" if tagged else b""
    data = b"".join(tag + number(int(value)) for value in wanted)
    runs = [Run(0, len(data), tag)]
    source = MemorySource(data, "m")
    assert count_of(source, BY_NAME["I32"], VARINT, runs) == 500
    found = Values(source, BY_NAME["I32"], VARINT, runs, 500)
    assert found.size == 2000
    for _ in range(200):
        offset = random.randrange(2001)
        length = random.randrange(2001 - offset)
        assert found.read(offset, length) == wanted.tobytes()[offset : offset + length]
    with pytest.raises(UnreadableCheckpointError):
        found.read(1999, 2)


def test_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MemorySource(bytes(100), "m")
    monkeypatch.setattr(values, "MAX_VARINT_BYTES", 99)
    assert values.refuse_many(source, [Run(0, 40, b"")], 50) == 90
    with pytest.raises(LimitExceededError, match="raw_data"):
        values.refuse_many(source, [Run(0, 40, b"")], 60)
