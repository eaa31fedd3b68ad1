"""Copy the files of a checkpoint, whole or not at all."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ckptkit.errors import UsageError
from ckptkit.model.checkpoint import SourceFile
from ckptkit.model.source import Source
from ckptkit.storage.atomic import new_directory, new_file
from ckptkit.storage.output import Output, create

_PIECE_BYTES = 4 << 20


def copy_file(source: Source, target: Path, *, force: bool, origin: Path) -> None:
    """Copy one file.

    Args:
        source: Its bytes.
        target: Where the copy shall be.
        force: Whether a file there may be replaced.
        origin: Where `source` lies; the copy may not be made over it.

    Raises:
        CkptkitError: As `new_file`; or the source cannot be read to its end.
    """
    with new_file(target, force=force, sources=[origin]) as output:
        _copy(source, output)


def copy_files(files: Iterable[SourceFile], target: Path, *, force: bool, origin: Path) -> None:
    """Copy the files of a checkpoint into a directory of their own, under their relative names.

    Args:
        files: What to copy.
        target: The directory; an old one goes in the same step in which the new one comes.
        force: Whether it may stand there already.
        origin: Where the checkpoint lies; the copy may not be made over it.

    Raises:
        UsageError: A name leads out of the directory.
        CkptkitError: As `new_directory`; or a file cannot be read to its end.
    """
    with new_directory(target, force=force, why_not=lambda _: "", sources=[origin]) as temp:
        for file in files:
            name = PurePosixPath(file.path)
            if name.is_absolute() or ".." in name.parts:
                raise UsageError("leads out of its checkpoint", where=file.path)
            place = temp / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with create(place) as output:
                _copy(file.source, output)


def _copy(source: Source, output: Output) -> None:
    for start in range(0, source.size, _PIECE_BYTES):
        output.write(source.read(start, min(_PIECE_BYTES, source.size - start)))
