"""Protobuf's encoding: what is walked, and what is refused."""

import pytest

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.storage.onnx import wire
from ckptkit.storage.onnx.wire import FIXED32, FIXED64, LENGTH, VARINT, Field, Wire, signed
from ckptkit.storage.source import MemorySource
from fuzz.onnx_files import varint


def walked(data: bytes) -> list[Field]:
    return list(Wire(MemorySource(data, "m.onnx")).fields(0, len(data)))


def test_fields_of_each_form() -> None:
    data = b"\x08\xac\x02" + b"\x12\x03abc" + b"\x1d\0\0\0\0" + b"\x21" + bytes(8)
    assert walked(data) == [
        Field(1, VARINT, 1, 3, 300),
        Field(2, LENGTH, 5, 8, 0),
        Field(3, FIXED32, 9, 13, 0),
        Field(4, FIXED64, 14, 22, 0),
    ]
    assert walked(b"") == []


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**32, 2**63, 2**64 - 1])
def test_numbers(value: int) -> None:
    (found,) = walked(b"\x08" + varint(value))
    assert found.value == value


def test_a_number_may_be_padded_and_keeps_its_value() -> None:
    assert walked(b"\x08\x81\x80\x00")[0].value == 1


def test_signed_numbers() -> None:
    assert [signed(value) for value in (0, 2**63 - 1, 2**63, 2**64 - 1)] == [0, 2**63 - 1, -(2**63), -1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00", "no field starts"),
        (b"\x88\x80\x00\x01", "no field starts"),
        (varint(1 << 32 | 8) + b"\1", "no field starts"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x0c", "wire type 4"),
        (b"\x0e", "wire type 6"),
        (b"\x08", "no end"),
        (b"\x08\xff", "no end"),
        (b"\x08" + b"\xff" * 10, "64 bits"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "64 bits"),
        (b"\x12\x04abc", "truncated"),
        (b"\x12" + varint(1 << 63), "truncated"),
        (b"\x1d\0\0\0", "truncated"),
        (b"\x21" + bytes(7), "truncated"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableCheckpointError, match=words):
        walked(data)


def test_values_are_not_read() -> None:
    class Watched(MemorySource):
        most = 0

        def read(self, offset: int, length: int) -> bytes:
            self.most = max(self.most, length)
            return super().read(offset, length)

    body = b"\x12" + varint(1 << 22) + bytes(1 << 22)
    source = Watched(body * 4, "m.onnx")
    assert len(list(Wire(source).fields(0, source.size))) == 4
    assert source.most <= 4 << 10


def test_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = "\x12\x07größe".encode()
    reader = Wire(MemorySource(data, "m.onnx"))
    (field,) = reader.fields(0, len(data))
    assert reader.text(field) == "größe"
    broken = Wire(MemorySource(b"\x12\x01\xff", "m.onnx"))
    with pytest.raises(UnreadableCheckpointError, match="UTF-8"):
        broken.text(next(broken.fields(0, 3)))
    monkeypatch.setattr(wire, "MAX_TEXTS_BYTES", 10)
    with pytest.raises(LimitExceededError):
        reader.text(field)
