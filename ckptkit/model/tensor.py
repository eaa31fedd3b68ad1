"""Lazy tensors: where the bytes of a tensor lie, and how to read them in bounded pieces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ckptkit.model.dtype import DType
from ckptkit.model.source import Source, read_into

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ckptkit.model.views import Index

PIECE_BYTES = 4 << 20
"""Upper bound of one piece that `Tensor.pieces` yields."""


# Neither is frozen, though nobody changes one: frozen objects take several times as long to make, and
# a file may have a hundred thousand.
@dataclass(slots=True, eq=False)
class Storage:
    """A flat run of elements that one or more tensors view.

    Two tensors share memory exactly when they hold the same `Storage` object, so readers
    make one per storage of the file.

    Attributes:
        source: The bytes.
        big_endian: Whether multi-byte elements are stored most significant byte first.
        key: The file's own name of the storage, for messages.
    """

    source: Source
    big_endian: bool = False
    key: str = ""


@dataclass(slots=True, eq=False)
class Tensor:
    """A view of a storage; reading is put off until bytes are asked for.

    Attributes:
        dtype: Element type.
        shape: Sizes, outermost first; `()` for a scalar.
        strides: Steps in elements, one a dimension; 0 repeats an element.
        offset: First element, in elements from the start of the storage.
        storage: Where the elements lie.
        sha256: Digest of the logical bytes where the file records one, else empty.
    """

    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    storage: Storage
    sha256: str = ""

    @property
    def numel(self) -> int:
        """Number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def nbytes(self) -> int:
        """Bytes of the logical row-major form."""
        return self.numel * self.dtype.itemsize

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two tensors exactly when they are the same view of one storage."""
        return (id(self.storage), self.offset, self.shape, self.strides, self.dtype.name)

    @property
    def is_contiguous(self) -> bool:
        """Whether the logical bytes are one run of the storage."""
        return self.strides == contiguous_strides(self.shape) or self.numel <= 1 or self._packed()

    def _packed(self) -> bool:
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1:
                if stride != expected:
                    return False
                expected *= size
        return True

    def pieces(self, limit: int = PIECE_BYTES) -> Iterator[bytes]:
        """Yield the logical bytes, row-major and little-endian, at most `limit` at a time."""
        if not self.numel:
            return
        if self.is_contiguous:
            yield from self._runs(limit)
        else:
            from ckptkit.model.strided import gather

            for piece in gather(self, limit):
                yield self._little(piece)

    @property
    def run(self) -> int | None:
        """First byte of the logical bytes, where the storage has them in one run just so; else None."""
        swapped = self.storage.big_endian and self.dtype.word > 1
        return None if swapped or not self.is_contiguous else self.offset * self.dtype.itemsize

    def pieces_in(self, take: Callable[[], memoryview]) -> Iterator[memoryview]:
        """Yield the logical bytes as `pieces` does, each piece in a buffer of the caller's.

        Args:
            take: Gives the buffer of the next piece, all of one length of at least 16 bytes; it may be the
                same each time.
        """
        first, total, at = self.run, self.nbytes, 0
        while first is not None and at < total:
            buffer = take()
            piece = buffer[: total - at]
            read_into(self.storage.source, first + at, piece)
            at += len(piece)
            yield piece
        if first is None:
            yield from self._gathered_in(take)

    def _gathered_in(self, take: Callable[[], memoryview]) -> Iterator[memoryview]:
        buffer, have = take(), 0
        for piece in self.pieces(len(buffer)):
            if have + len(piece) > len(buffer):
                yield buffer[:have]
                buffer, have = take(), 0
            buffer[have : have + len(piece)] = piece
            have += len(piece)
        yield buffer[:have]

    def _runs(self, limit: int) -> Iterator[bytes]:
        step = max(limit // 16 * 16, 16)
        start, total = self.offset * self.dtype.itemsize, self.nbytes
        for at in range(0, total, step):
            yield self._little(self.storage.source.read(start + at, min(step, total - at)))

    def _little(self, piece: bytes) -> bytes:
        if not self.storage.big_endian or self.dtype.word == 1:
            return piece
        return _swap(piece, self.dtype.word)

    def tobytes(self) -> bytes:
        """Return all logical bytes at once; for tensors known to be small."""
        start, length = self.run, self.nbytes
        if start is not None and length:
            return self.storage.source.read(start, length)
        return b"".join(self.pieces())

    def numpy(self) -> "np.ndarray[Any, Any]":
        """Return the elements as a read-only array; bfloat16 and float8 come as raw unsigned integers.

        Its memory is the file's own pages, mapped for this tensor alone and with its strides, where the bytes
        lie in a regular file as an array needs them: little-endian, aligned, not compressed. Else it is a
        copy. A zip member is compared with its CRC first, unless this is a part of it; digests are not looked
        at. The file must not be cut short or overwritten while the array lives: the system ends a process
        that touches a page which is no more.
        `array` copies always.

        Returns:
            Array of `shape`. Types that numpy lacks (BF16, F8_*) come as `u2`/`u1` bit patterns.

        Raises:
            UnreadableCheckpointError: The bytes are not there, or are not those that were stored, or the file
                was written to since it was opened.
        """
        from ckptkit.model.views import as_numpy

        return as_numpy(self)

    def torch(self) -> "torch.Tensor":
        """Return the elements as a tensor of torch, of any type, bfloat16 and float8 among them.

        Memory and its rules are those of `numpy`, except that it may be written: what is written stays in
        this process, and the file as it is. One with two elements in one place is a copy without that.

        Raises:
            UnreadableCheckpointError: As for `numpy`.
            UnsupportedTensorError: This release of torch has no such element type.
        """
        from ckptkit.model.views import as_torch

        return as_torch(self)

    def array(self) -> "np.ndarray[Any, Any]":
        """Return the elements as a new array, as `numpy` does but never over mapped pages."""
        import numpy as np

        return np.frombuffer(self.tobytes(), NUMPY[self.dtype.name]).reshape(self.shape)

    def __getitem__(self, index: "Index") -> "Tensor":
        """Return a part, by numpy's basic indexing (no backward steps); nothing is read.

        `tensor[10:20].numpy()` reads ten rows. The part has no digest of its own.

        Raises:
            IndexError: There are more indices than dimensions, or one lies outside.
            TypeError: An index is of another kind.
            ValueError: A slice runs backwards.
        """
        from ckptkit.model.views import part

        return part(self, index)


def _swap(piece: bytes, word: int) -> bytes:
    import numpy as np

    return np.frombuffer(piece, f">u{word}").astype(f"<u{word}").tobytes()


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return row-major strides in elements, as torch computes them (size 0 counts as 1)."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


NUMPY = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "I16": "<i2",
    "U16": "<u2",
    "F16": "<f2",
    "BF16": "<u2",
    "I32": "<i4",
    "U32": "<u4",
    "F32": "<f4",
    "C64": "<c8",
    "F64": "<f8",
    "I64": "<i8",
    "U64": "<u8",
    "F8_E5M2": "u1",
    "F8_E4M3": "u1",
    "F8_E5M2FNUZ": "u1",
    "F8_E4M3FNUZ": "u1",
    "F8_E8M0": "u1",
}
