"""Find and read checkpoints."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ckptkit import checks, readers
from ckptkit.errors import CkptkitError, NotACheckpointError
from ckptkit.model.checkpoint import Checkpoint, Note, SourceFile
from ckptkit.storage.compressed import Wrapper
from ckptkit.storage.probe import Probe
from ckptkit.storage.walk import candidates

PathLike = str | os.PathLike[str]


def read(path: PathLike) -> Checkpoint:
    """Read a checkpoint of any supported format; tensor bytes stay on disk.

    Args:
        path: A file, a bundle directory, or a directory that is one checkpoint.

    Raises:
        NotACheckpointError: Nothing there is a checkpoint.
        UnreadableCheckpointError: It is one, and its bytes break the format's rules.
        UnknownVersionError: It is of a format version that this ckptkit does not know.
        UnsupportedTensorError: It holds a tensor that no bundle can carry.
    """
    probe = Probe(path)
    return _read(readers.find(probe), probe)


def _read(reader: readers.Reader, probe: Probe) -> Checkpoint:
    checkpoint = reader.read(probe)
    return checkpoint if probe.wrapper is None else _in_wrapper(checkpoint, probe.wrapper)


def _in_wrapper(checkpoint: Checkpoint, wrapper: Wrapper) -> Checkpoint:
    """Return a checkpoint that names the compressed file it lies in, and itself as what that holds."""
    name = Path(checkpoint.path).name
    files = [
        replace(file, path=f"{name}/content") if file.source is wrapper.content else file
        for file in checkpoint.files
    ]
    size = f"{wrapper.packed.size} bytes of {wrapper.kind} that hold {wrapper.content.size}"
    return replace(
        checkpoint,
        files=(*files, SourceFile(name, "wrapper", wrapper.packed)),
        notes=(Note("compressed", size, name), *checkpoint.notes),
    )


def find(path: PathLike) -> Iterator[Path]:
    """Yield the checkpoints at `path`: itself, or all below a directory, in a stable order.

    A file that is no checkpoint is passed over; one that is broken is yielded, since reading
    it says what is wrong.

    Raises:
        NotACheckpointError: There is nothing at `path`.
    """
    root = Path(path)
    if not Probe(root).is_directory:
        yield root
        return
    for candidate in candidates(root, is_checkpoint):
        if candidate == root or is_checkpoint(candidate):
            yield candidate


def read_if_any(path: Path) -> Checkpoint | CkptkitError | None:
    """Read a path that may be a checkpoint, opening it once; None where it is none.

    Returns:
        The checkpoint, or the error that says why one cannot be read.
    """
    try:
        probe = Probe(path)
        reader = readers.find(probe)
    except NotACheckpointError:
        return None
    except CkptkitError as error:
        return error
    try:
        return _read(reader, probe)
    except CkptkitError as error:
        return error


def is_checkpoint(path: Path) -> bool:
    """Whether a reader claims `path`, or would if it were not broken."""
    try:
        readers.find(Probe(path))
    except NotACheckpointError:
        return False
    except CkptkitError:
        return True
    return True


def level_of(code: str) -> int:
    """Return the level that a violation of the rule `code` keeps a checkpoint from."""
    return checks.find(code).level
