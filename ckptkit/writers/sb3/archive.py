"""The zip itself: stored members, and in it torch zips that are written through, not held in memory.

A `.pth` member's length follows from its tensors' shapes; so its header is written first, and only
its CRC is filled in behind.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptkit.model.manifest import MODEL
from ckptkit.model.tensor import Tensor
from ckptkit.model.torch_tree import to_torch
from ckptkit.model.tree import tensors_in
from ckptkit.storage.canonical_zip import CONSTANTS, PICKLE, ROOT, Placed, directory, local_header
from ckptkit.storage.output import Output
from ckptkit.writers import copying
from ckptkit.writers.copying import Copy, Hashing
from ckptkit.writers.plan import Planned
from ckptkit.writers.torch_pickle import TensorRef, dumps
from ckptkit.writers.zip_out import ZipOut

_PIECE_BYTES = 1 << 20


@dataclass(slots=True)
class TorchMember:
    """One `.pth` member.

    Attributes:
        owners: One tensor for each storage, in order.
        pickle: The contents of its `data.pkl`.
    """

    owners: list[Planned]
    pickle: bytes

    @property
    def parts(self) -> list[tuple[str, int]]:
        """Name and size of each of the torch zip's own members, in order."""
        data = [(f"data/{i}", planned.tensor.nbytes) for i, planned in enumerate(self.owners)]
        rest = {PICKLE: self.pickle, **CONSTANTS}
        return data + [(name, len(contents)) for name, contents in rest.items()]

    @property
    def size(self) -> int:
        """Length in bytes."""
        placed, at = [], 0
        for name, size in self.parts:
            placed.append(Placed(ROOT + name, size, 0, at))
            at += len(local_header(placed[-1])) + size
        return at + len(directory(placed, at))


def torch_member(tree: object, role: str, prefix: str = "") -> TorchMember:
    """Return the torch zip that holds a tree; tensors that are one share a storage.

    Args:
        tree: Plain data and tensors.
        role: `model` or `training`, for messages.
        prefix: In front of the tensors' names, likewise.
    """
    owners: dict[tuple[object, ...], Planned] = {}
    keys: dict[tuple[object, ...], str] = {}
    named = tree if role == MODEL and isinstance(tree, Mapping) else tensors_in(tree, prefix)
    for name, tensor in named.items():
        if tensor.identity not in owners:
            keys[tensor.identity] = str(len(owners))
            owners[tensor.identity] = Planned(name, role, tensor)

    def ref(tensor: Tensor) -> TensorRef:
        return TensorRef(keys[tensor.identity], tensor.dtype, tensor.shape)

    return TorchMember(list(owners.values()), dumps(to_torch(tree, ref)))


class _Section(Output):
    """The part of an output from where it stands now on, with offsets of its own."""

    __slots__ = ("_base", "_outer")

    def __init__(self, outer: Output) -> None:
        self._outer, self._base, self.size = outer, outer.size, 0

    def write(self, piece: bytes | memoryview) -> None:
        self._outer.write(piece)
        self.size += len(piece)

    def patch(self, offset: int, piece: bytes) -> None:
        self._outer.patch(self._base + offset, piece)

    def read(self, offset: int, length: int) -> bytes:
        return self._outer.read(self._base + offset, min(length, self.size - offset))


@dataclass(slots=True)
class Archive:
    """The zip in the making.

    Attributes:
        output: An empty file.
        copies: What came of each tensor so far.
    """

    output: Output
    copies: list[Copy] = field(default_factory=list)
    _zip: ZipOut | None = None

    @property
    def zip(self) -> ZipOut:
        """The zip's own writer."""
        if self._zip is None:
            self._zip = ZipOut(self.output)
        return self._zip

    def add(self, name: str, data: bytes) -> None:
        """Write a member whose contents are at hand."""
        self.zip.add(name, data)

    def add_torch(self, name: str, member: TorchMember) -> None:
        """Write a `.pth` member."""
        number = self.zip.begin(name, member.size)
        section = _Section(self.output)
        inner = ZipOut(section)
        with Hashing() as hashing:
            copies = [
                inner.add_tensor(f"{ROOT}data/{i}", planned, hashing)
                for i, planned in enumerate(member.owners)
            ]
        for part, data in {PICKLE: member.pickle, **CONSTANTS}.items():
            inner.add(ROOT + part, data)
        inner.end()
        self.copies += copies
        self.zip.patch(number, _crc32(section))

    def end(self) -> None:
        """Write the central directory, once the sources' checksums have proved right.

        Raises:
            UnreadableCheckpointError: A source's bytes differ from its CRC.
        """
        copying.verify(self.copies)
        self.zip.end()


def _crc32(section: Output) -> int:
    crc = 0
    for at in range(0, section.size, _PIECE_BYTES):
        crc = zlib.crc32(section.read(at, _PIECE_BYTES), crc)
    return crc
