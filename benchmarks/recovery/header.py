"""State dicts as headers: names, shapes, element types, ties, and a few values."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "U8": 8, "BOOL": 8}
LETTERS = {"F64": "d", "F32": "f", "F16": "e", "I64": "q", "I32": "i", "U8": "B", "BOOL": "?"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor.

    Attributes:
        dtype: Element type as safetensors spells it.
        shape: Sizes, outermost first.
        values: All elements, row-major, where they say something of the network; None for zeros.
        tied: The earlier tensor whose storage this one shares; empty where none.
    """

    dtype: str
    shape: tuple[int, ...]
    values: tuple[float, ...] | None = None
    tied: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        count = BITS[self.dtype] // 8
        for size in self.shape:
            count *= size
        return count


Header = Mapping[str, Entry]


def header_of(module: "nn.Module") -> dict[str, Entry]:
    """Return the state dict of a module; tensors that are not on the meta device keep their values."""
    import torch

    names = {
        torch.float64: "F64",
        torch.float32: "F32",
        torch.float16: "F16",
        torch.bfloat16: "BF16",
        torch.int64: "I64",
        torch.int32: "I32",
        torch.uint8: "U8",
        torch.bool: "BOOL",
    }
    first: dict[int, str] = {}
    found = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        held = None if tensor.is_meta else tuple(tensor.detach().flatten().tolist())
        tied = first.setdefault(id(tensor), name)
        found[name] = Entry(names[tensor.dtype], tuple(tensor.shape), held, "" if tied == name else tied)
    return found


def cast(entry: Entry, dtype: str) -> Entry:
    """Return a floating tensor in another type, its values rounded to it; others as they are."""
    if entry.dtype not in ("F32", "F64"):
        return entry
    if entry.values is None:
        return replace(entry, dtype=dtype)
    packed = pack(dtype, entry.values)
    return replace(entry, dtype=dtype, values=unpack(dtype, packed))


def pack(dtype: str, values: tuple[float, ...]) -> bytes:
    """Return values as little-endian bytes."""
    if dtype != "BF16":
        return struct.pack(f"<{len(values)}{LETTERS[dtype]}", *values)
    words = struct.unpack(f"<{len(values)}I", struct.pack(f"<{len(values)}f", *values))
    return struct.pack(f"<{len(values)}H", *((word + 0x7FFF + (word >> 16 & 1)) >> 16 for word in words))


def unpack(dtype: str, data: bytes) -> tuple[float, ...]:
    """Return the values of little-endian bytes."""
    if dtype != "BF16":
        return struct.unpack(f"<{len(data) * 8 // BITS[dtype]}{LETTERS[dtype]}", data)
    words = struct.unpack(f"<{len(data) // 2}H", data)
    return struct.unpack(f"<{len(words)}f", struct.pack(f"<{len(words)}I", *(word << 16 for word in words)))


def write(header: Header, path: Path) -> None:
    """Write a safetensors file whose elements are zeros, but for the values given.

    The zeros are a hole: the file takes a few KB on disk, whatever size it claims.
    """
    table, start = {}, 0
    for name, entry in header.items():
        place = [start, start + entry.nbytes]
        table[name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": place}
        start += entry.nbytes
    words = json.dumps(table, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(words)) + words)
        for name, entry in header.items():
            if entry.values is not None:
                file.seek(8 + len(words) + table[name]["data_offsets"][0])
                file.write(pack(entry.dtype, entry.values))
        file.truncate(8 + len(words) + start)


def to_json(header: Header) -> dict[str, list[object]]:
    """Return plain data."""
    return {name: [one.dtype, one.shape, one.values, one.tied] for name, one in header.items()}


def from_json(plain: Mapping[str, list[object]]) -> dict[str, Entry]:
    """Return the header that `to_json` was given."""
    return {
        name: Entry(dtype, tuple(shape), None if values is None else tuple(values), tied)
        for name, (dtype, shape, values, tied) in plain.items()
    }
