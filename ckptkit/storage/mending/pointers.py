"""Git LFS pointers whose content is in a store of objects.

Source: git-lfs 3.7, `docs/spec.md` and `docs/man/git-lfs-config.adoc` (`lfs.storage`): an object lies at
`OID[0:2]/OID[2:4]/OID` below `.git/lfs/objects`.
"""

from pathlib import Path

from ckptkit.digest import source_sha256
from ckptkit.errors import CkptkitError, IntegrityError
from ckptkit.storage import pointer
from ckptkit.storage.mending import Fault, Left, Mend, Plan, Planned
from ckptkit.storage.output import create
from ckptkit.storage.source import FileSource

_PIECE_BYTES = 4 << 20


def plan_content(path: Path, store: Path | None) -> Plan:
    """Return how a pointer becomes its content; None where the file is no Git LFS pointer.

    Args:
        path: A file.
        store: Folder of objects, such as `.git/lfs/objects`; None where none was given.

    Raises:
        CkptkitError: The file cannot be read.
    """
    source = FileSource(path)
    found = pointer.parse(source.read(0, min(source.size, pointer.MAX_POINTER_BYTES)))
    if found is None or found.kind != "git-lfs":
        return None
    lacking = _lacking(path, found, store)
    if lacking is not None or store is None:
        return lacking
    return _planned(path, found, _place(found, store))


def _lacking(path: Path, found: pointer.Pointer, store: Path | None) -> Left | None:
    """Say why the store does not give the content; None where it does."""
    if store is None or found.algorithm != "sha256" or found.size is None:
        why = "no store was given" if store is None else "the pointer states no sha256, or no size"
        return _left(path, why, "--lfs-store .git/lfs/objects, or git lfs pull")
    place = _place(found, store)
    if not place.is_file():
        return _left(path, f"{store} has no object {found.digest}", "git lfs fetch, or git lfs pull")
    try:
        size, digest = FileSource(place).size, source_sha256(FileSource(place))
    except CkptkitError as error:
        return _left(path, f"its object cannot be read: {error}", "git lfs fetch")
    if (size, digest) != (found.size, found.digest):
        return _left(path, f"{place} does not hold the content that it is named for", "git lfs fsck")
    return None


def _place(found: pointer.Pointer, store: Path) -> Path:
    return store / found.digest[:2] / found.digest[2:4] / found.digest


def _planned(path: Path, found: pointer.Pointer, place: Path) -> Planned:
    mend = Mend(
        Fault.POINTER,
        str(path),
        f"the content, {found.size:,} bytes, takes the place of its pointer",
        f"the object in the store has the size and the sha256 of the pointer, {found.digest}",
    )

    def write(new: Path) -> None:
        content = FileSource(place)
        with create(new) as output:
            for at in range(0, content.size, _PIECE_BYTES):
                output.write(content.read(at, min(_PIECE_BYTES, content.size - at)))
        if source_sha256(FileSource(new)) != found.digest:
            raise IntegrityError("does not read back as the content of the pointer", where=str(new))

    return Planned(mend, write)


def _left(path: Path, why: str, fix: str) -> Left:
    return Left(Fault.POINTER, str(path), f"a Git LFS pointer stands for its content, and {why}", fix)
