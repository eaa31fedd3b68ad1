"""A tolerant look into a manifest: what is well-formed in it, whatever else is wrong.

The schema reports what is not; checks that compare an entry with bytes skip such an entry.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import TypeGuard, TypeVar

from ckptkit.model.bundle import BundleFacts
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import BY_NAME
from ckptkit.version import SPEC_VERSION

DEPLOY = "deploy"
"""`BundleFacts.encoding` of a directory."""
MAJOR, MINOR = (int(part) for part in SPEC_VERSION.split("."))
TREES = ("model_config", "training_info", "training_state")
"""Manifest fields that are trees (`model.tree`)."""
HINTED = 100
"""Files of the lineage that are looked at for one that findings can name."""
TRAINING_ROLE = "training"
TRAINING_PREFIX = "training_state."

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One well-formed entry of `tensors`.

    Attributes:
        index: Position in the array.
        name: Name it is stored under.
        dtype: Safetensors spelling; may be unknown.
        shape: Sizes, outermost first.
        sha256: Recorded digest, lowercase hex.
        nbytes: Recorded length; None where the entry has none.
        file: Member that holds it; empty in a torch dict.
        offset: First byte in that member; None in a torch dict.
        alias_of: Name of the entry that owns the bytes; empty for an owner.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str
    nbytes: int | None
    file: str
    offset: int | None
    alias_of: str

    @property
    def pointer(self) -> str:
        """JSON pointer of the entry in the manifest."""
        return f"/tensors/{self.index}"

    @property
    def size(self) -> int | None:
        """Bytes that dtype and shape call for; None where the dtype is unknown."""
        if self.dtype not in BY_NAME:
            return None
        count = BY_NAME[self.dtype].itemsize
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One well-formed entry of `files`.

    Attributes:
        index: Position in the array.
        path: Relative path, as written.
        size: Recorded length in bytes.
        sha256: Recorded digest, lowercase hex.
        role: What the file is for.
    """

    index: int
    path: str
    size: int
    sha256: str
    role: str

    @property
    def pointer(self) -> str:
        """JSON pointer of the entry in the manifest."""
        return f"/files/{self.index}"


def bundle_of(checkpoint: Checkpoint) -> BundleFacts | None:
    """Return the facts of a bundle whose manifest has one reading and a known major version.

    None for anything else, so that no field of a manifest from the future is looked at.
    """
    bundle = checkpoint.bundle
    if bundle is None or bundle.manifest is None or bundle.parse_problems:
        return None
    version = version_of(bundle.manifest)
    return None if version is not None and version[0] != MAJOR else bundle


def manifest_of(checkpoint: Checkpoint) -> Mapping[str, object]:
    """Return the manifest under the conditions of `bundle_of`; empty otherwise."""
    bundle = bundle_of(checkpoint)
    return bundle.manifest if bundle is not None and bundle.manifest is not None else {}


def version_of(manifest: Mapping[str, object]) -> tuple[int, int] | None:
    """Return (major, minor) of `spec_version`; None where it is missing or not of that form."""
    text = manifest.get("spec_version")
    major, dot, minor = text.partition(".") if isinstance(text, str) else ("", "", "")
    if dot and all(part.isascii() and part.isdigit() and len(part) < 9 for part in (major, minor)):
        return int(major), int(minor)
    return None


def tensor_entries(checkpoint: Checkpoint) -> tuple[TensorEntry, ...]:
    """Return the well-formed entries of `tensors`, in the manifest's order."""
    return _entries(checkpoint, "tensors", _tensor)


def file_entries(checkpoint: Checkpoint) -> tuple[FileEntry, ...]:
    """Return the well-formed entries of `files`, in the manifest's order."""
    return _entries(checkpoint, "files", _file)


def _entries(
    checkpoint: Checkpoint, field: str, make: Callable[[int, Mapping[str, object]], Entry | None]
) -> tuple[Entry, ...]:
    """Return what is made of the rows of a field: once, as every other rule asks for it."""
    bundle, rows = bundle_of(checkpoint), manifest_of(checkpoint).get(field)
    if bundle is None:
        return ()
    known: tuple[object, tuple[Entry, ...]] | None = bundle.entries.get(field)
    if known is None or known[0] is not rows:
        made = (make(index, row) for index, row in _objects(rows))
        known = bundle.entries[field] = (rows, tuple(entry for entry in made if entry is not None))
    return known[1]


def training_test(checkpoint: Checkpoint) -> Callable[[TensorEntry], bool]:
    """Return what tells whether a tensor belongs to the training state and not to the model.

    In a directory the role of its file says so, in a torch dict the part that holds it.
    """
    files = {file.path for file in file_entries(checkpoint) if file.role == TRAINING_ROLE}

    def is_training(entry: TensorEntry) -> bool:
        if entry.file:
            return entry.file in files
        return entry.name.startswith(TRAINING_PREFIX) and entry.name not in checkpoint.tensors

    return is_training


def manifest_place(checkpoint: Checkpoint) -> str:
    """Return the path that findings on the manifest carry."""
    bundle = checkpoint.bundle
    if bundle is None or bundle.encoding != DEPLOY:
        return checkpoint.path
    return member_place(checkpoint, bundle.manifest_name)


def member_place(checkpoint: Checkpoint, member: str) -> str:
    """Return the path that findings on a member carry."""
    bundle = checkpoint.bundle
    if bundle is None or bundle.encoding != DEPLOY or not member:
        return checkpoint.path
    return str(PurePath(checkpoint.path, member))


def at(checkpoint: Checkpoint, pointer: str) -> str:
    """Return a JSON pointer as findings on the manifest carry it."""
    bundle = checkpoint.bundle
    if bundle is None or bundle.encoding == DEPLOY:
        return pointer
    return f"{bundle.manifest_name}{pointer}"


def shortened(digest: str) -> str:
    """Return the start of a hex digest, for messages."""
    return f"{digest[:12]}…" if len(digest) > 12 else digest or "nothing"


def restore_hint(checkpoint: Checkpoint) -> str:
    """Say where the bundle's bytes came from, so that they can be made again."""
    lineage = manifest_of(checkpoint).get("lineage")
    files = _objects(lineage.get("files")) if isinstance(lineage, Mapping) else iter(())
    for _, row in islice(files, HINTED):
        path, digest = row.get("path"), row.get("sha256")
        if isinstance(path, str) and isinstance(digest, str):
            return f"restore the file from its source (lineage: {path}, sha256 {shortened(digest)})"
    return "restore the file from its source"


def _objects(value: object) -> Iterator[tuple[int, Mapping[str, object]]]:
    for index, row in enumerate(value if isinstance(value, list) else ()):
        if isinstance(row, Mapping):
            yield index, row


def _tensor(index: int, row: Mapping[str, object]) -> TensorEntry | None:
    name, dtype, shape = row.get("name"), row.get("dtype"), row.get("shape")
    digest, alias = row.get("sha256"), row.get("alias_of", "")
    nbytes, file, offset = row.get("nbytes"), row.get("file", ""), row.get("offset")
    if not isinstance(name, str) or not isinstance(dtype, str) or not _is_shape(shape):
        return None
    if not isinstance(digest, str) or not isinstance(alias, str) or not isinstance(file, str):
        return None
    length, first = _natural(nbytes), _natural(offset)
    return TensorEntry(index, name, dtype, tuple(shape), digest.lower(), length, file, first, alias)


def _file(index: int, row: Mapping[str, object]) -> FileEntry | None:
    path, size, digest, role = row.get("path"), _natural(row.get("size")), row.get("sha256"), row.get("role")
    if not isinstance(path, str) or size is None or not isinstance(digest, str):
        return None
    return FileEntry(index, path, size, digest.lower(), role if isinstance(role, str) else "")


def _natural(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _is_shape(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(_natural(size) is not None for size in value)
