"""The one header that writers give a safetensors file: it follows from names, types and shapes alone."""

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from ckptkit.errors import LimitExceededError
from ckptkit.model.dtype import DType
from ckptkit.storage.safetensors_file import MAX_HEADER_BYTES

ALIGNMENT = 64
"""Tensor data starts at a multiple of this; spaces behind the JSON fill up to it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor of the file.

    Attributes:
        name: Name it is stored under.
        dtype: Element type.
        shape: Sizes, outermost first.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of its data."""
        count = self.dtype.itemsize
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything in the file lies.

    Attributes:
        header: Length field, JSON and padding.
        offsets: First byte of each tensor in the file, by name, in file order.
        size: Of the whole file, in bytes.
    """

    header: bytes
    offsets: dict[str, int]
    size: int


def layout(rows: Iterable[Row]) -> Layout:
    """Place tensors without holes, each aligned to its item size.

    Wider items come first, then names in order: so no tensor needs padding in front of it.

    Raises:
        LimitExceededError: The header would be longer than ckptkit reads.
    """
    ordered = sorted(rows, key=lambda row: (-row.dtype.itemsize, row.name))
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    starts, at = {}, 0
    for row in ordered:
        end = at + row.nbytes
        entries[row.name] = {"dtype": row.dtype.name, "shape": list(row.shape), "data_offsets": [at, end]}
        starts[row.name], at = at, end
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise LimitExceededError(
            f"a safetensors header of {len(text)} bytes is needed; {MAX_HEADER_BYTES} are read"
        )
    header = struct.pack("<Q", len(text)) + text
    return Layout(header, {name: len(header) + start for name, start in starts.items()}, len(header) + at)
