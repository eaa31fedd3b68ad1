"""Where a bundle comes from: the source's files, their digests, and what must not be touched."""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ckptkit.errors import CkptkitError, ManifestError
from ckptkit.model import manifest
from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.model.source import read_into
from ckptkit.storage.source import FileSource

_PIECE_BYTES = 512 << 10
"""Small enough to be still in the processor's cache when it is hashed."""


def sources(checkpoint: Checkpoint) -> Iterator[Path]:
    """Yield the paths that no output may touch: what was named, and each file that was read.

    What was never a file, such as a network that is being trained, has none.
    """
    if not checkpoint.files:
        return
    path = Path(checkpoint.path)
    yield path
    folder = path if path.is_dir() else path.parent
    for file in checkpoint.files:
        yield folder / file.path
    if checkpoint.container == "directory":
        yield folder


def refuse_changed(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint whose files were written to since they were opened.

    Args:
        checkpoint: All that was wanted of it has been read.

    Raises:
        UnreadableCheckpointError: One was.
    """
    for file in checkpoint.files:
        if isinstance(file.source, FileSource):
            file.source.refuse_changed()


def _extended(lineage: Mapping[str, object], migrations: tuple[str, ...]) -> Mapping[str, object]:
    """Return a lineage with what was changed since it was written."""
    before = lineage.get("migrations")
    if not migrations or not isinstance(before, list):
        return lineage
    return {**lineage, "migrations": [*before, *migrations]}


class Origin:
    """The lineage of a bundle, its digests computed beside the copying.

    A v2 source hands on the lineage that it has; a legacy source's files are hashed in a thread.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._carried = manifest.carried(checkpoint).get("lineage")
        self._digests: dict[str, str] = {}
        self._failure: CkptkitError | OSError | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Start to hash the source's files."""
        if self._carried is None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what is not hashed by now."""
        self._stopped = True
        if self._thread.ident is not None:
            self._thread.join()

    def lineage(self) -> Mapping[str, object]:
        """Return the lineage, once all files are hashed and all else has been read.

        Raises:
            ManifestError: The source's own lineage is no object.
            CkptkitError: A file could not be read, or was written to meanwhile.
        """
        found = self._found()
        refuse_changed(self._checkpoint)
        return found

    def _found(self) -> Mapping[str, object]:
        if self._carried is not None:
            if not isinstance(self._carried, Mapping):
                raise ManifestError("lineage is no object", where=self._checkpoint.path)
            return _extended(self._carried, self._checkpoint.migrations)
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return manifest.lineage(self._checkpoint, self._digests)

    def _run(self) -> None:
        try:
            for file in self._checkpoint.files:
                self._digests[file.path] = self._hash(file)
        except (CkptkitError, OSError) as error:
            self._failure = error

    def _hash(self, file: SourceFile) -> str:
        state, size = hashlib.sha256(), file.source.size
        buffer = memoryview(bytearray(min(_PIECE_BYTES, size)))
        for at in range(0, size, _PIECE_BYTES):
            if self._stopped:
                break
            piece = buffer[: size - at]
            read_into(file.source, at, piece)
            state.update(piece)
        return state.hexdigest()
