"""Torch zips whose central directory is lost, and torch zips whose pickle is written anew."""

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ckptkit.errors import CkptkitError, IntegrityError
from ckptkit.model.source import Source
from ckptkit.storage import canonical_zip
from ckptkit.storage.canonical_zip import Placed, local_header
from ckptkit.storage.mending import Fault, Left, Mend, Plan, Planned
from ckptkit.storage.output import Output, create
from ckptkit.storage.sb3.members import is_sb3
from ckptkit.storage.source import FileSource
from ckptkit.storage.torch_file import from_zip, is_torch_zip
from ckptkit.storage.zip import ZipArchive, is_zip
from ckptkit.storage.zip.layout import CENTRAL_MAGIC, DEFLATED
from ckptkit.storage.zip.members import InflatedSource, StoredSource
from ckptkit.storage.zip.salvage import Local, locals_of

_PIECE_BYTES = 4 << 20
_REST_BYTES = 1 << 16
"""What is looked at behind the last member."""

Members = Mapping[str, StoredSource | InflatedSource]


def plan_directory(path: Path) -> Plan:
    """Return how the directory of a zip that has lost it is made again; None where it has one.

    Raises:
        CkptkitError: The file cannot be read.
    """
    source = FileSource(path)
    if not is_zip(source.read(0, min(4, source.size))):
        return None
    try:
        ZipArchive.open(source)
    except CkptkitError as error:
        found = list(locals_of(source))
        why = _unproven(source, found)
        if why:
            return Left(
                Fault.ZIP_DIRECTORY, str(path), f"{error.what}; {why}", "fetch or copy the file again"
            )
        return _planned(path, source, found)
    return None


def _planned(path: Path, source: Source, found: list[Local]) -> Planned:
    members = _opened(source, found)
    cut = "is cut off" if source.size == found[-1].end else "is incomplete or overwritten"
    mend = Mend(
        Fault.ZIP_DIRECTORY,
        str(path),
        f"the zip directory, which {cut} at byte {found[-1].end}, is written again for {len(found)} members",
        "the local headers account for every byte before it, each member matches its CRC, and the archive "
        "reads back with the same members and with every storage that its pickle names",
    )

    def write(new: Path) -> None:
        write_archive(new, members)
        _compare(new, members)

    return Planned(mend, write)


def _unproven(source: Source, found: list[Local]) -> str:
    """Say what keeps a lost directory from being made again; empty where nothing does."""
    if not found:
        return "no member can be followed from its local header"
    names = [local.member.name.casefold() for local in found]
    if len(set(names)) != len(names):
        return "two members have one name"
    end = found[-1].end
    rest = source.read(end, min(source.size - end, _REST_BYTES))
    if any(rest) and not (rest.startswith(CENTRAL_MAGIC) or CENTRAL_MAGIC.startswith(rest)):
        return f"what stands behind the last whole member, at byte {end}, is no directory"
    for name, member in _opened(source, found).items():
        try:
            member.verify()
        except CkptkitError as error:
            return f"member {name}: {error.what}"
    return _lacking(source, found, directory_begins=rest.startswith(CENTRAL_MAGIC))


def _lacking(source: Source, found: list[Local], *, directory_begins: bool) -> str:
    """Say which member may be lost with the directory; empty where none can be."""
    archive = ZipArchive(source, {local.member.name: local.member for local in found})
    if is_torch_zip(archive):
        try:
            from_zip(archive)
        except CkptkitError as error:
            return error.what
        return ""
    if not is_sb3(archive):
        return "it is neither a torch file nor a Stable-Baselines3 zip"
    return "" if directory_begins else "members behind the last one may be lost with the directory"


def _opened(source: Source, found: Iterable[Local]) -> Members:
    return {
        local.member.name: (InflatedSource if local.member.method == DEFLATED else StoredSource)(
            source, local.member
        )
        for local in found
    }


def write_archive(new: Path, members: Mapping[str, Source]) -> None:
    """Write an archive of stored members, aligned as torch aligns them.

    Args:
        new: A path that does not exist yet.
        members: Their bytes by name, in their order.
    """
    with create(new) as output:
        placed = [_append(output, name, source) for name, source in members.items()]
        output.write(canonical_zip.directory(placed, output.size))


def _append(output: Output, name: str, source: Source) -> Placed:
    at = output.size
    output.write(local_header(Placed(name, source.size, 0, at)))
    crc = 0
    for offset in range(0, source.size, _PIECE_BYTES):
        piece = source.read(offset, min(_PIECE_BYTES, source.size - offset))
        crc = zlib.crc32(piece, crc)
        output.write(piece)
    made = Placed(name, source.size, crc, at)
    output.patch(at, local_header(made))
    return made


def _compare(new: Path, members: Members) -> None:
    """Read an archive back.

    Raises:
        IntegrityError: It has not the members that were written.
    """
    archive = ZipArchive.open(FileSource(new))
    for name in archive.members:
        archive.check_crc(name)
    wanted = [(name, member.size) for name, member in members.items()]
    if [(name, member.size) for name, member in archive.members.items()] != wanted:
        raise IntegrityError("does not read back as written", where=str(new))
    for name, member in members.items():
        compare_bytes(archive.source_of(name), member)


def compare_bytes(one: Source, other: Source) -> None:
    """Compare two sources of one size.

    Raises:
        IntegrityError: They differ.
    """
    for offset in range(0, one.size, _PIECE_BYTES):
        length = min(_PIECE_BYTES, one.size - offset)
        if one.read(offset, length) != other.read(offset, length):
            raise IntegrityError("does not read back as written", where=one.name)
