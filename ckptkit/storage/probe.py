"""What a path turns out to be, found once and shared by all readers."""

import os
import stat
from functools import cached_property
from pathlib import Path

from ckptkit.errors import InaccessibleError, NotACheckpointError
from ckptkit.model.source import Source
from ckptkit.model.torch_layout import layout
from ckptkit.storage import pointer, torch_file
from ckptkit.storage.compressed import Wrapper, unwrap
from ckptkit.storage.source import FileSource
from ckptkit.storage.zip import ZipArchive, is_zip

HEAD_BYTES = 512


class Probe:
    """A path with its contents opened as far as readers have asked.

    Attributes:
        path: The path as the user gave it.
        is_directory: Whether it is a directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Look at `path`.

        Raises:
            NotACheckpointError: Nothing is there.
            InaccessibleError: The system does not let it be looked at.
            PointerError: Nothing but a DVC pointer to it is there.
        """
        self.path = Path(path)
        self.is_directory = _is_directory(self.path)
        if not self.is_directory and not os.path.lexists(self.path):
            if absent := pointer.beside(self.path):
                raise pointer.refuse(absent, str(path))
            raise NotACheckpointError("no such file or directory", where=str(path), fix=_near(self.path))

    @cached_property
    def wrapper(self) -> Wrapper | None:
        """The compressed file that a checkpoint lies in; None where the file is none.

        Raises:
            CkptkitError: As `storage.compressed.unwrap`.
        """
        return None if self.is_directory else unwrap(self._file)

    @cached_property
    def source(self) -> Source:
        """The checkpoint's bytes; readers ask only where `is_directory` is false."""
        return self._file if self.wrapper is None else self.wrapper.content

    @cached_property
    def _file(self) -> Source:
        return FileSource(self.path)

    @cached_property
    def head(self) -> bytes:
        """The first `HEAD_BYTES` bytes of the file (fewer in a short one); empty for a directory.

        Raises:
            PointerError: The file is a Git LFS or DVC pointer.
        """
        if self.is_directory:
            return b""
        head = self.source.read(0, min(HEAD_BYTES, self.source.size))
        if absent := pointer.parse(head):
            raise pointer.refuse(absent, str(self.path))
        return head

    @cached_property
    def zip(self) -> ZipArchive | None:
        """The strictly read zip directory; None where the file does not start as a zip.

        Raises:
            UnreadableCheckpointError: It starts as a zip and breaks the rules of one.
        """
        return ZipArchive.open(self.source) if is_zip(self.head) else None

    @cached_property
    def torch(self) -> torch_file.TorchFile | None:
        """The inert contents of a torch file; None where the file is none.

        Raises:
            UnreadableCheckpointError: It is one and its pickle or its storages are broken.
        """
        if self.is_directory:
            return None
        if self.zip is not None:
            return torch_file.from_zip(self.zip) if torch_file.is_torch_zip(self.zip) else None
        return torch_file.from_legacy(self.source) if torch_file.is_legacy(self.head) else None

    @cached_property
    def torch_layout(self) -> str:
        """Which layout the root of a torch file has (`model.torch_layout`); empty for any other file."""
        return layout(self.torch.root) if self.torch is not None else ""

    def beside(self, *parts: str) -> Path | None:
        """Return the path of a regular file relative to the file's folder; None where there is none."""
        path = self.path.parent.joinpath(*parts)
        return path if path.is_file() else None


def _near(path: Path) -> str:
    """Say what stands under almost the name of a path that does not exist; empty where nothing does."""
    longer = (path.with_name(path.name + suffix) for suffix in (".zip", ".pt", ".pth") if path.name)
    shorter = [path.with_suffix("")] if path.suffix else []
    found = next((other for other in (*longer, *shorter) if other.exists()), None)
    return f"there is {found}" if found else ""


def _is_directory(path: Path) -> bool:
    """Whether `path` is a directory; False where nothing is there.

    Raises:
        InaccessibleError: The system does not let it be looked at, or the directory be listed.
    """
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
        if is_directory:
            os.scandir(path).close()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InaccessibleError(f"cannot be opened: {error.strerror}", where=str(path)) from error
    return is_directory
