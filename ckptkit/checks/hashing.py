"""SHA-256 of many runs of bytes at once, spread over the processors in bounded memory."""

import hashlib
import threading
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.processors import processors
from ckptkit.model.source import Source
from ckptkit.model.tensor import Storage, Tensor

K = TypeVar("K", bound=Hashable)

_PIECE_BYTES = 512 << 10
"""Small enough to be still in the processor's cache when it is hashed."""
_ALONE_BYTES = 4 << 20
"""Up to so many bytes one thread is done before others have started."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What came of one run of bytes.

    Attributes:
        sha256: Hex digest; empty where the bytes cannot be read.
        problem: Why they cannot be read; empty otherwise.
    """

    sha256: str
    problem: str = ""


def run_of(source: Source, start: int, length: int) -> Tensor:
    """Return bytes of a source as what they are hashed as."""
    return Tensor(BY_NAME["U8"], (length,), (1,), start, Storage(source))


def source_sha256(source: Source) -> str:
    """Hash all bytes of a source.

    Raises:
        UnreadableCheckpointError: They are not those that its container states.
    """
    state, buffer = hashlib.sha256(), memoryview(bytearray(_PIECE_BYTES))
    for piece in run_of(source, 0, source.size).pieces_in(lambda: buffer):
        state.update(piece)
    return state.hexdigest()


def sha256_of_all(runs: Mapping[K, Tensor]) -> dict[K, Sum]:
    """Hash the logical bytes of each tensor; what cannot be read does not keep the others back.

    They are begun in order, so the longest are best put first. What lies close together in a file
    is best close together here: then threads that read the same pages read them from the disk once.

    Raises:
        CkptkitError: A file could not be read at all.
    """
    work = _Work[K](deque(runs.items()))
    big = sum(tensor.nbytes for tensor in runs.values()) > _ALONE_BYTES
    count = min(processors(), len(runs)) if big else 1
    others = [threading.Thread(target=work.run, daemon=True) for _ in range(count - 1)]
    for thread in others:
        thread.start()
    try:
        work.run()
        for thread in others:
            thread.join()
    finally:  # Ctrl-C, too, ends the other threads at their next piece
        work.stopped = True
    if work.failure is not None:
        raise work.failure
    return work.sums


@dataclass(slots=True)
class _Work(Generic[K]):
    """What is still to be hashed, and what is done; several threads take from it."""

    waiting: deque[tuple[K, Tensor]]
    sums: dict[K, Sum] = field(default_factory=dict)
    failure: BaseException | None = None
    stopped: bool = False

    def run(self) -> None:
        """Hash what waits until nothing does, or all are to stop."""
        buffer = memoryview(bytearray(_PIECE_BYTES))
        while not self.stopped:
            try:
                key, tensor = self.waiting.popleft()
            except IndexError:
                return
            try:
                self.sums[key] = Sum(self._sha256(tensor, buffer))
            except UnreadableCheckpointError as error:
                self.sums[key] = Sum("", error.what)
            except Exception as error:  # noqa: BLE001 - the caller's thread raises it
                self.failure, self.stopped = error, True

    def _sha256(self, tensor: Tensor, buffer: memoryview) -> str:
        state = hashlib.sha256()
        for piece in tensor.pieces_in(lambda: buffer):
            if self.stopped:
                break
            state.update(piece)
        return state.hexdigest()
