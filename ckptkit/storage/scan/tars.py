"""Members of a tar archive, without unpacking it."""

from collections.abc import Iterator
from typing import IO, cast

from ckptkit.errors import CkptkitError, LimitExceededError, UnreadableCheckpointError
from ckptkit.model.source import Source
from ckptkit.storage.compressed import SourceStream
from ckptkit.storage.source import Window

MAX_MEMBERS = 10_000
MAX_HEADER_BYTES = 1 << 20
"""Of an extended header, which names a member and says more of it."""


class _Headers(SourceStream):
    """A tar archive of which only headers are read; extended ones may be of any length."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            LimitExceededError: A header is longer than `MAX_HEADER_BYTES`.
        """
        if size is None or not 0 <= size <= MAX_HEADER_BYTES:
            what = f"a header of {size} bytes in a tar, at most {MAX_HEADER_BYTES} are read"
            raise LimitExceededError(what, where=self._source.name)
        return super().read(size) or b""


class TarMembers:
    """The regular files of a tar archive.

    Attributes:
        files: Name and bytes of each, in the order of the archive; links are left out.
        problem: What keeps the rest from being read; None where nothing does.
    """

    def __init__(self, source: Source) -> None:
        self.files: list[tuple[str, Source]] = []
        self.problem: CkptkitError | None = None
        try:
            for entry in _entries(source):
                self.files.append(entry)
                if len(self.files) > MAX_MEMBERS:
                    raise LimitExceededError(f"more than {MAX_MEMBERS} members", where=source.name)
        except CkptkitError as error:
            self.problem = error


def _entries(source: Source) -> Iterator[tuple[str, Source]]:
    import tarfile

    try:
        with tarfile.open(fileobj=cast("IO[bytes]", _Headers(source)), mode="r:") as archive:
            for entry in archive:
                if entry.issparse():
                    raise UnreadableCheckpointError("a sparse member is not read", where=source.name)
                if entry.isreg():
                    name = f"{source.name}:{entry.name}"
                    yield entry.name, Window(source, entry.offset_data, entry.size, name)
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise UnreadableCheckpointError(f"broken tar: {error}", where=source.name) from error
