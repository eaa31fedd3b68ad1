"""Numbers that an ONNX file holds one by one: checked when it is opened, decoded when they are asked for."""

import re
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model.dtype import DType
from ckptkit.model.source import Source
from ckptkit.storage.onnx.wire import FIXED32, FIXED64, VARINT
from ckptkit.storage.source import check_range

if TYPE_CHECKING:
    import numpy as np

MAX_VARINT_BYTES = 256 << 20
"""Bound on the integers that one file holds one by one; exporters hold large tensors as raw bytes."""
PIECE_BYTES = 64 << 10
_CONTINUED = bytes(range(0x80, 0x100))
ANY = rb"[\x80-\xff]{0,8}[\x00-\x7f]|[\x80-\xff]{9}[\x00\x01]"
_U8 = rb"[\x00-\x7f]|[\x80-\xff][\x00\x01]"
_U16 = rb"[\x00-\x7f]|[\x80-\xff][\x00-\x7f]|[\x80-\xff]{2}[\x00-\x03]"
_FORMS = {
    "BOOL": rb"[\x00\x01]",
    "U8": _U8,
    "F8_E4M3": _U8,
    "F8_E4M3FNUZ": _U8,
    "F8_E5M2": _U8,
    "F8_E5M2FNUZ": _U8,
    "F8_E8M0": _U8,
    "I8": rb"[\x00-\x7f]|[\x80-\xff]\xff{8}\x01",
    "U16": _U16,
    "F16": _U16,
    "BF16": _U16,
    "I16": rb"[\x80-\xff]{0,1}[\x00-\x7f]|[\x80-\xff]{2}[\x00\x01]|[\x80-\xff]{2}[\xfe\xff]\xff{6}\x01",
    "I32": rb"[\x80-\xff]{0,3}[\x00-\x7f]|[\x80-\xff]{4}[\x00-\x07]|[\x80-\xff]{4}[\xf8-\xff]\xff{4}\x01",
    "U32": rb"[\x80-\xff]{0,3}[\x00-\x7f]|[\x80-\xff]{4}[\x00-\x0f]",
    "I64": ANY,
    "U64": ANY,
}
"""The varints that stand for a value of each type; what wraps around to one is read differently by libraries.

The ten bytes of a negative number are its 64 bits; protobuf has no shorter form.
"""


class Run(NamedTuple):
    """Numbers of one field that stand behind each other.

    Attributes:
        start: First byte.
        end: First byte behind them.
        tag: What stands before each number; empty where they are packed.
    """

    start: int
    end: int
    tag: bytes


class Values:
    """The little-endian bytes of numbers that stand one by one; a `Source`.

    They are decoded from the front, and again for who goes back.
    """

    __slots__ = ("_at", "_dtype", "_have", "_lock", "_runs", "_stream", "_wire", "name", "parent", "size")

    def __init__(self, parent: Source, dtype: DType, wire: int, runs: Sequence[Run], count: int) -> None:
        """Take the numbers of one tensor, of which `count_of` says that they are so many.

        Args:
            parent: The file.
            dtype: Element type.
            wire: Wire type of the numbers.
            runs: Where they stand.
            count: How many elements.
        """
        self.parent, self.name = parent, parent.name
        self._dtype, self._wire, self._runs = dtype, wire, tuple(runs)
        self.size = count * dtype.itemsize
        self._lock = Lock()
        self._stream, self._at, self._have = iter(self._pieces()), 0, b""

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; see `model.source.Source`."""
        check_range(self, offset, length)
        with self._lock:
            if offset < self._at:
                self._stream, self._at, self._have = iter(self._pieces()), 0, b""
            while self._at + len(self._have) < offset + length:
                passed = min(offset - self._at, len(self._have))
                more = next(self._stream, None)
                if more is None:
                    raise UnreadableCheckpointError("became another file while it was read", where=self.name)
                self._have = self._have[passed:] + more
                self._at += passed
            return self._have[offset - self._at : offset - self._at + length]

    def _pieces(self) -> Iterator[bytes]:
        for run in self._runs:
            if self._wire == VARINT:
                for piece in pieces(self.parent, run):
                    yield _decoded(piece, self._dtype, bool(run.tag))
            else:
                yield from self._fixed(run)

    def _fixed(self, run: Run) -> Iterator[bytes]:
        width = 4 if self._wire == FIXED32 else 8
        step = width + len(run.tag)
        for at in range(run.start, run.end, PIECE_BYTES // step * step):
            piece = self.parent.read(at, min(PIECE_BYTES // step * step, run.end - at))
            yield (
                piece
                if not run.tag
                else b"".join(piece[start + 1 : start + step] for start in range(0, len(piece), step))
            )


def count_of(parent: Source, dtype: DType, wire: int, runs: Sequence[Run]) -> int:
    """Return how many numbers runs hold, having seen that each is one of the type.

    Raises:
        UnreadableCheckpointError: A number is none of the type.
    """
    if wire == VARINT:
        return sum(count_varints(parent, _FORMS[dtype.name], run) for run in runs)
    return sum(count_fixed(parent, wire, run) for run in runs)


def count_fixed(parent: Source, wire: int, run: Run) -> int:
    """Return how many numbers of a fixed width a run holds.

    Raises:
        UnreadableCheckpointError: It ends within one.
    """
    count, rest = divmod(run.end - run.start, {FIXED32: 4, FIXED64: 8}[wire] + len(run.tag))
    if rest:
        raise UnreadableCheckpointError("ends within a number", where=parent.name)
    return count


def count_varints(parent: Source, form: bytes, run: Run) -> int:
    """Return how many varints a run holds.

    Args:
        parent: The file.
        form: Pattern of each.
        run: Where they stand.

    Raises:
        UnreadableCheckpointError: One is of another form.
    """
    pattern = re.compile(re.escape(run.tag) + b"(?:" + form + b")", re.DOTALL)
    total = 0
    for piece in pieces(parent, run):
        left, count = pattern.subn(b"", piece)
        if left:
            raise UnreadableCheckpointError("holds a number that its type does not have", where=parent.name)
        total += count
    return total


def refuse_many(parent: Source, runs: Sequence[Run], before: int) -> int:
    """Return how many bytes of integers a file holds one by one, those of `runs` among them.

    Raises:
        LimitExceededError: More than `MAX_VARINT_BYTES`.
    """
    total = before + sum(run.end - run.start for run in runs)
    if total > MAX_VARINT_BYTES:
        raise LimitExceededError(
            f"holds more than {MAX_VARINT_BYTES >> 20} MiB of integers one by one",
            where=parent.name,
            fix="write it with raw_data, as onnx.numpy_helper.from_array does",
        )
    return total


def pieces(parent: Source, run: Run) -> Iterator[bytes]:
    """Yield a run of varints in pieces that end where a number does.

    Raises:
        UnreadableCheckpointError: A number has no end.
    """
    # Numbers with tags are fields that were counted, so that there are few of them.
    step = PIECE_BYTES if not run.tag else max(run.end - run.start, 1)
    rest = b""
    for at in range(run.start, run.end, step):
        piece = rest + parent.read(at, min(step, run.end - at))
        whole = len(piece.rstrip(_CONTINUED))
        rest = piece[whole:]
        if len(rest) > PIECE_BYTES // 2:
            break
        if whole:
            yield piece[:whole]
    if rest:
        raise UnreadableCheckpointError("ends within a number", where=parent.name)


def _decoded(piece: bytes, dtype: DType, tagged: bool) -> bytes:
    """Return the elements of varints, each of which has the form of the type."""
    import numpy as np

    raw = np.frombuffer(piece, np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    starts = np.concatenate((np.zeros(1, ends.dtype), ends[:-1] + 1))
    if tagged:  # every other number is a tag of one byte
        starts, ends = starts[1::2], ends[1::2]
    return _joined(raw, starts, ends).astype(f"<u{dtype.itemsize}").tobytes()


def _joined(raw: "np.ndarray[Any, Any]", starts: Any, ends: Any) -> "np.ndarray[Any, Any]":
    import numpy as np

    values = np.zeros(len(starts), np.uint64)
    for index in range(int((ends - starts).max(initial=-1)) + 1):
        there = starts + index <= ends
        part = raw[starts[there] + index].astype(np.uint64) & np.uint64(0x7F)
        values[there] |= part << np.uint64(7 * index)
    return values
