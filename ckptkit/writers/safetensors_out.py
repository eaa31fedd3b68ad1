"""A safetensors file with a deterministic header.

The header's length, and with it the place of every tensor, follows from names, dtypes and shapes
alone; so it is written first and the tensors behind it in one pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ckptkit.storage import canonical_safetensors
from ckptkit.storage.canonical_safetensors import Row
from ckptkit.storage.output import Output
from ckptkit.writers.copying import Copy, FileHash, Hashing, copy
from ckptkit.writers.plan import Planned

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
    """Place `owners` as `storage.canonical_safetensors` says; their names differ.

    Raises:
        LimitExceededError: The header would be longer than ckptkit reads.
    """
    known = {planned.name: planned for planned in owners}
    made = canonical_safetensors.layout(
        Row(planned.name, planned.tensor.dtype, planned.tensor.shape) for planned in owners
    )
    placed = tuple((known[name], offset) for name, offset in made.offsets.items())
    return Layout(made.header, placed, made.size)


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
