"""A static look into one file: what it is, what lies inside it, and what its pickles name.

It reads structure, never tensors, and goes into every container that can hold a pickle, whether a
checkpoint needs one there or not. What is broken ends the look into that part alone, and what a pickle
names before it breaks is kept.
"""

from pathlib import Path

from ckptkit.model.scanned import Part
from ckptkit.storage import pointer
from ckptkit.storage.scan.containers import Look
from ckptkit.storage.source import FileSource

__all__ = ["look_into"]


def look_into(path: Path) -> tuple[Part, ...]:
    """Return the parts of a file, itself first; none where it is neither a pickle nor a container of any.

    Raises:
        NotACheckpointError: There is no regular file at `path`.
        InaccessibleError: The system does not let it be read.
        PointerError: It is a Git LFS or DVC pointer.
    """
    source = FileSource(path, path.name)
    head = source.read(0, min(source.size, pointer.MAX_POINTER_BYTES))
    if absent := pointer.parse(head):
        raise pointer.refuse(absent, str(path))
    look = Look()
    look.into(source, "")
    return tuple(look.parts)
