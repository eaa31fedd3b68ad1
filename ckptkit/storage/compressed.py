"""Compressed files around a checkpoint: `X.pt.gz`, `.xz`, `.bz2`, `.zst`, `.lz4`.

They are told by their first bytes. What they hold is written to a file without a name in the temporary
directory, piece by piece, so that it can be read at any place and never lies in memory as a whole.

Sources: RFC 1952 (gzip), RFC 8878 (zstd), lz4 1.10 `doc/lz4_Frame_format.md`, xz 5.4
`doc/xz-file-format.txt`, bzip2 1.0.8 `decompress.c`.
"""

import importlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import IO, Protocol, cast

from ckptkit.errors import (
    InaccessibleError,
    LimitExceededError,
    MissingExtraError,
    UnreadableCheckpointError,
)
from ckptkit.model.extras import require
from ckptkit.model.source import Source
from ckptkit.storage.compressed_streams import State, Streams, check_zstd_end
from ckptkit.storage.source import FileSource
from ckptkit.storage.torch_legacy import is_legacy
from ckptkit.storage.zip import is_zip

HEAD_BYTES = 512
PIECE_BYTES = 1 << 20
MAX_BYTES = 16 << 30
"""Most bytes that a compressed file may hold."""
FREE_BYTES = 16 << 20
"""Up to here a file may hold any multiple of its size."""
MAX_RATIO = 200
MAX_MEMORY = 64 << 20
"""Most bytes of zstd's window and of xz's dictionary; `xz -9` asks for as many."""
XZ_STATE_BYTES = 1 << 20
"""Memory of an xz stream besides its dictionary."""


YOURSELF = "if it is your own, decompress it yourself"


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A compressed file and what it holds.

    Attributes:
        kind: `gzip`, `xz`, `bzip2`, `zstd` or `lz4`.
        packed: The file as it lies on disk.
        content: What it holds, in a temporary file that goes with this object.
    """

    kind: str
    packed: Source
    content: Source


def kind_of(head: bytes) -> str:
    """Return the compression of a file that starts with `head`; empty for any other file."""
    return next((kind for kind, magic in _MAGIC.items() if magic.match(head)), "")


def is_checkpoint(head: bytes) -> bool:
    """Whether what starts with `head` is a zip or a torch file."""
    return is_zip(head) or is_legacy(head)


def unwrap(source: Source, wanted: Callable[[bytes], bool] = is_checkpoint) -> Wrapper | None:
    """Return what a compressed file holds; None where it is none, or holds nothing that is wanted.

    Args:
        source: Any file.
        wanted: Whether content that starts with these bytes (`HEAD_BYTES`, or fewer) is to be unpacked.

    Raises:
        LimitExceededError: It holds more than `MAX_BYTES`, or beyond `FREE_BYTES` more than `MAX_RATIO`
            times the bytes that were read for it.
        UnreadableCheckpointError: The compressed data is broken or ends early.
        MissingExtraError: Nothing that can read this compression is installed.
        InaccessibleError: The temporary file cannot be written.
    """
    kind = kind_of(source.read(0, min(HEAD_BYTES, source.size)))
    if not kind:
        return None
    head = _Unpacking(kind, source).read(HEAD_BYTES)
    if not head:
        raise UnreadableCheckpointError(f"{kind} data that breaks off, or holds nothing", where=source.name)
    if not wanted(head):
        return None
    return Wrapper(kind, source, _unpacked(_Unpacking(kind, source)))


def _unpacked(stream: "_Unpacking") -> FileSource:
    """Write the content to a file that has no name, and return it."""
    import tempfile

    name = stream.source.name
    try:
        with tempfile.TemporaryFile(prefix="ckptkit-") as file:
            while piece := stream.read(PIECE_BYTES):
                file.write(piece)
            file.flush()
            return FileSource.opened(os.dup(file.fileno()), f"{name} ({stream.kind})")
    except OSError as error:
        folder = tempfile.gettempdir()
        raise InaccessibleError(
            f"cannot be decompressed into {folder}: {error.strerror}",
            where=name,
            fix="decompress it yourself, or set TMPDIR to a folder with room",
        ) from error


class _Unpacking:
    """The content of a compressed file, read from its start on, with its bounds."""

    def __init__(self, kind: str, source: Source) -> None:
        self.kind, self.source = kind, source
        self._raw = SourceStream(source)
        self._stream, failures = _OPENERS[kind](self._raw)
        self._failures: tuple[type[Exception], ...] = (EOFError, OSError, *failures)
        self._length = 0

    def read(self, length: int) -> bytes:
        """Return the next bytes, at most `length`; none at the end.

        Raises:
            LimitExceededError: As `unwrap`.
            UnreadableCheckpointError: As `unwrap`.
        """
        try:
            data = self._stream.read(length)
            if not data and self.kind == "zstd":
                check_zstd_end(self.source)
        except self._failures as error:
            raise self._broken(error) from error
        self._length += len(data)
        allowed = min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * self._raw.tell()))
        if self._length > allowed:
            raise LimitExceededError(
                f"{self._raw.tell()} bytes of {self.kind} hold more than {allowed}; at most {MAX_BYTES}, and "
                f"above {FREE_BYTES} at most {MAX_RATIO} times what they take, are read",
                where=self.source.name,
                fix=YOURSELF,
            )
        return data

    def _broken(self, error: Exception) -> UnreadableCheckpointError:
        """Return the error for what a library says of broken data, or of data that asks for too much."""
        if "memory" in str(error).lower():
            what = f"{self.kind} data that asks for too much memory, more than {MAX_MEMORY} bytes"
            return LimitExceededError(what, where=self.source.name, fix=YOURSELF)
        return UnreadableCheckpointError(f"broken {self.kind} data: {error}", where=self.source.name)


class SourceStream(io.RawIOBase):
    """A source as the file object that readers of Python's own library take."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source, self._at = source, 0

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether any place can be gone to: yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def tell(self) -> int:
        """Return the place of the next read."""
        return self._at

    def readinto(self, buffer: object, /) -> int:
        """Read into `buffer` and return the number of bytes."""
        if not isinstance(buffer, bytearray | memoryview):
            raise TypeError(type(buffer).__name__)
        length = max(min(len(buffer), self._source.size - self._at), 0)
        if length:
            buffer[:length] = self._source.read(self._at, length)
        self._at += length
        return length


class _Content(Protocol):
    def read(self, length: int, /) -> bytes: ...


_Opened = tuple[_Content, tuple[type[Exception], ...]]
"""A stream of the content, and what it raises for broken data besides EOFError and OSError."""


def _gzip(raw: SourceStream) -> _Opened:
    import gzip
    import zlib

    return cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb")), (zlib.error,)


def _zstd(raw: SourceStream) -> _Opened:
    require("compressed", "a file in zstd", "zstandard")
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=MAX_MEMORY)
    opened = reader.stream_reader(cast("IO[bytes]", raw), read_across_frames=True)
    return cast("IO[bytes]", opened), (zstandard.ZstdError,)


def _lz4(raw: SourceStream) -> _Opened:
    require("compressed", "a file in lz4", "lz4")
    import lz4.frame

    return lz4.frame.open(raw, "rb"), (RuntimeError,)


def _xz(raw: SourceStream) -> _Opened:
    lzma = _of_python("lzma", "xz")

    def new() -> State:
        made = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MAX_MEMORY + XZ_STATE_BYTES)
        return cast("State", made)

    return Streams(raw, new, padding=4), (lzma.LZMAError,)


def _bzip2(raw: SourceStream) -> _Opened:
    return Streams(raw, _of_python("bz2", "bzip2").BZ2Decompressor), ()


def _of_python(module: str, kind: str) -> ModuleType:
    """Import a module that some builds of Python lack."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"a file in {kind} needs Python's module {module}, which this Python was built without",
            fix="decompress it yourself, or use a Python that has the module",
        ) from error


_MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "bzip2": re.compile(rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)"),
}
_OPENERS: dict[str, Callable[[SourceStream], _Opened]] = {
    "gzip": _gzip,
    "zstd": _zstd,
    "lz4": _lz4,
    "xz": _xz,
    "bzip2": _bzip2,
}
