"""A safetensors file with a deterministic header.

The header's length, and with it the place of every tensor, follows from names, dtypes and shapes
alone; so it is written first and the tensors behind it in one pass.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ckptkit.errors import LimitExceededError
from ckptkit.storage.output import Output
from ckptkit.storage.safetensors_file import MAX_HEADER_BYTES
from ckptkit.writers.copying import Copy, FileHash, Hashing, copy
from ckptkit.writers.plan import Planned

ALIGNMENT = 64
"""Tensor data starts at a multiple of this; spaces behind the JSON fill up to it."""
MEDIA_TYPE = "application/vnd.safetensors"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything in the file lies.

    Attributes:
        header: Length field, JSON and padding.
        placed: Each tensor with the absolute offset of its first byte, in file order.
        size: Of the whole file, in bytes.
    """

    header: bytes
    placed: tuple[tuple[Planned, int], ...]
    size: int


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that has been written.

    Attributes:
        copies: What came of each tensor, in file order.
        size: In bytes.
        sha256: Hex digest of all its bytes.
    """

    copies: tuple[Copy, ...]
    size: int
    sha256: str


def layout(owners: Sequence[Planned]) -> Layout:
    """Place `owners` without holes, each aligned to its item size.

    Wider items come first, then names in order: so no tensor needs padding in front of it.

    Raises:
        LimitExceededError: The header would be longer than ckptkit reads.
    """
    ordered = sorted(owners, key=lambda planned: (-planned.tensor.dtype.itemsize, planned.name))
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    starts, at = [], 0
    for planned in ordered:
        tensor = planned.tensor
        starts.append(at)
        span = [at, at + tensor.nbytes]
        entries[planned.name] = {
            "dtype": tensor.dtype.name,
            "shape": list(tensor.shape),
            "data_offsets": span,
        }
        at += tensor.nbytes
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise LimitExceededError(
            f"a safetensors header of {len(text)} bytes is needed; {MAX_HEADER_BYTES} are read"
        )
    header = struct.pack("<Q", len(text)) + text
    placed = tuple((planned, len(header) + start) for planned, start in zip(ordered, starts, strict=True))
    return Layout(header, placed, len(header) + at)


def write(output: Output, planned: Layout) -> WrittenFile:
    """Write header and tensors; every tensor is read once.

    Args:
        output: An empty file.
        planned: As `layout` returns it.
    """
    output.write(planned.header)
    with FileHash(output) as whole:
        with Hashing() as hashing:

            def put(piece: bytes | memoryview) -> None:
                output.write(piece)
                whole.settle(output.size)

            copies = [copy(tensor, put, hashing) for tensor, _ in planned.placed]
        return WrittenFile(tuple(copies), planned.size, whole.sha256())
