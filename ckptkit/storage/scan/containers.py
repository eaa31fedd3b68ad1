"""Containers that can hold pickles: what each holds, part by part."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ckptkit.errors import CkptkitError, LimitExceededError, NotACheckpointError, UnreadableCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.scanned import Part
from ckptkit.model.source import Source
from ckptkit.storage.compressed import unwrap
from ckptkit.storage.safetensors_file import open_safetensors
from ckptkit.storage.sb3.data import MAX_BYTES
from ckptkit.storage.sb3.members import DATA, is_sb3
from ckptkit.storage.scan import kinds, torch_zips
from ckptkit.storage.scan.facts import Facts, part_of
from ckptkit.storage.scan.sb3_data import cells
from ckptkit.storage.scan.streams import numpy_object, read_all, streams, text_streams, without_frames
from ckptkit.storage.scan.tars import TarMembers
from ckptkit.storage.scan.zips import head_of, recovered
from ckptkit.storage.source import Window
from ckptkit.storage.torch_file import from_legacy, is_torch_zip
from ckptkit.storage.zip import ZipArchive

MAX_NESTED = 4
"""How deep containers inside containers are opened."""
MAX_PARTS = 10_000
LEGACY_PICKLES = 5
"""Pickles at the start of a legacy torch file."""


@dataclass(slots=True)
class Look:
    """A look into one file.

    Attributes:
        parts: What was found so far, each container before what lies in it.
        expected: Whether code is at home in the container that is open.
        depth: How many containers are open.
    """

    parts: list[Part] = field(default_factory=list)
    expected: bool = False
    depth: int = 0

    def into(self, source: Source, place: str) -> None:
        """Look into a file or a member; nothing is added for one that can hold no pickle."""
        head = source.read(0, min(source.size, kinds.HEAD_BYTES))
        kind = kinds.kind_of(head)
        if not kind:
            _unmarked(self, source, place, head)
        elif self.depth > MAX_NESTED or len(self.parts) >= MAX_PARTS:
            what = f"more than {MAX_NESTED} containers inside each other, or more than {MAX_PARTS} parts"
            self.add(source, place, kind, Facts(problem=LimitExceededError(what)))
        else:
            self.depth += 1
            _LOOKS[kind](self, source, place)
            self.depth -= 1

    def add(self, source: Source, place: str, kind: str, facts: Facts) -> None:
        """Add a part."""
        part = part_of(place, kind, source.size, facts, name=source.name, expected=self.expected)
        self.parts.append(part)


def _unmarked(look: Look, source: Source, place: str, head: bytes) -> None:
    """Look into what no mark tells: a text pickle, an archive behind something else, or neither."""
    name = kinds.unopened(head)
    if name:
        what = f"is a container ({name}) that is not opened, so nothing in it was looked at"
        problem = NotACheckpointError(what, fix="unpack it and scan what it holds")
        look.add(source, place, name, Facts(problem=problem))
    elif head.startswith(kinds.ONNX_MARK) and _onnx(look, source, place):
        return
    elif kinds.ends_as_zip(source):
        what = "does not start as a zip archive, and other programs find one at its end"
        look.add(source, place, kinds.ZIP, Facts(problem=UnreadableCheckpointError(what)))
        _recovered(look, source, place)
    elif found := text_streams(source, place or source.name):
        look.add(source, place, kinds.PICKLE, Facts.of(found))


def _onnx(look: Look, source: Source, place: str) -> bool:
    """Look at all that an ONNX file states, without data beside it; whether it is one."""
    from ckptkit.storage.onnx import is_onnx, open_onnx

    if not is_onnx(source):
        return False
    facts = Facts()
    try:
        open_onnx(source)
        if kinds.ends_as_zip(source) and any(recovered(source)):
            facts.problem = UnreadableCheckpointError("other programs find a zip archive at its end")
    except CkptkitError as error:
        facts.problem = error
    look.add(source, place, kinds.ONNX, facts)
    if kinds.ends_as_zip(source):
        _recovered(look, source, place)
    return True


def _zip(look: Look, source: Source, place: str) -> None:
    try:
        archive = ZipArchive.open(source)
    except CkptkitError as error:
        look.add(source, place, kinds.ZIP, Facts(problem=error))
        _recovered(look, source, place)
        return
    if is_torch_zip(archive):
        _torch_zip(look, archive, place)
    elif is_sb3(archive):
        _sb3_zip(look, archive, place)
    else:
        look.add(source, place, kinds.ZIP, Facts())
        _members(look, archive, place, archive.members)


def _recovered(look: Look, source: Source, place: str) -> None:
    """Look into what other programs may find in an archive that is refused."""
    for name, member in recovered(source):
        if name == DATA and member.size <= MAX_BYTES and member.read(0, 1) == b"{":
            facts = cells(member.read(0, member.size), inside(place, name), member.name)
            look.add(member, inside(place, name), "sb3-data", facts)
        else:
            look.into(member, inside(place, name))


def inside(place: str, name: str) -> str:
    """Return the place of a member."""
    return f"{place}:{name}" if place else name


def _members(look: Look, archive: ZipArchive, place: str, names: Iterable[str]) -> None:
    """Look into members, as far as their first bytes tell that it is worth it."""
    for name in names:
        member = inside(place, name)
        try:
            if kinds.may_hold(head_of(archive, name)):
                look.into(archive.source_of(name), member)
        except CkptkitError as error:
            look.add(archive.source_of(name), member, "member", Facts(problem=error))


def _sb3_zip(look: Look, archive: ZipArchive, place: str) -> None:
    look.add(archive.source, place, "sb3-zip", Facts(carries=True))
    outer, look.expected = look.expected, True
    if DATA in archive.members:
        member = archive.source_of(DATA)
        try:
            facts = cells(archive.read(DATA, MAX_BYTES), inside(place, DATA), member.name)
        except CkptkitError as error:
            facts = Facts(problem=error)
        look.add(member, inside(place, DATA), "sb3-data", facts)
    _members(look, archive, place, (name for name in archive.members if name != DATA))
    look.expected = outer


def _torch_zip(look: Look, archive: ZipArchive, place: str) -> None:
    try:
        found = torch_zips.read(archive, place)
    except CkptkitError as error:
        look.add(archive.source, place, "torch-zip", Facts(problem=without_frames(error)))
        at = len(look.parts)
        _members(look, archive, place, archive.members)
        if any(_says(part, error) for part in look.parts[at:]):
            look.parts[at - 1] = replace(look.parts[at - 1], verdict=Verdict.DATA_ONLY, problem="", fix="")
        return
    facts = Facts(carries=found.carries)
    facts.found.take(found)
    look.add(archive.source, place, found.container, facts)
    if found.container == "torch-zip":
        _members(look, archive, place, torch_zips.others(archive, found))


def _says(part: Part, error: CkptkitError) -> bool:
    """Whether a member tells by itself what is wrong with the file around it."""
    return bool(part.problem) and error.what.endswith(part.problem.rpartition(": ")[2])


def _legacy(look: Look, source: Source, place: str) -> None:
    try:
        found = torch_zips.facts_of(from_legacy(source, where=place))
        facts = Facts(carries=found.carries)
        facts.found.take(found)
    except CkptkitError as error:
        without_frames(error)
        data, _ = read_all(source)
        facts = Facts.of(streams(data, place or source.name, count=LEGACY_PICKLES))
        facts.problem = error
    look.add(source, place, kinds.LEGACY, facts)


def _pickle(look: Look, source: Source, place: str) -> None:
    data, over = read_all(source)
    found = streams(data, place or source.name)
    facts = Facts.of(found)
    facts.problem = over or facts.problem
    look.add(source, place, kinds.PICKLE, facts)
    if found.archive:
        behind = Window(source, found.archive, source.size - found.archive, f"{source.name}:zip")
        look.into(behind, inside(place, f"zip at byte {found.archive}"))


def _numpy(look: Look, source: Source, place: str) -> None:
    start = numpy_object(source.read(0, min(source.size, 1 << 16)))
    data, over = read_all(source) if start else (b"", None)
    facts = Facts.of(streams(data[start:], place or source.name)) if start else Facts()
    facts.problem = over or facts.problem
    look.add(source, place, kinds.NUMPY, facts)


def _safetensors(look: Look, source: Source, place: str) -> None:
    facts = Facts()
    try:
        open_safetensors(source)
    except CkptkitError as error:
        facts.problem = error
    look.add(source, place, kinds.SAFETENSORS, facts)


def _compressed(look: Look, source: Source, place: str) -> None:
    try:
        wrapper = unwrap(source, kinds.may_hold)
    except CkptkitError as error:
        look.add(source, place, kinds.COMPRESSED, Facts(problem=error))
        return
    if wrapper is not None:
        look.add(source, place, wrapper.kind, Facts())
        look.into(wrapper.content, inside(place, "content"))


def _tar(look: Look, source: Source, place: str) -> None:
    members = TarMembers(source)
    look.add(source, place, kinds.TAR, Facts(problem=members.problem))
    for name, member in members.files:
        look.into(member, inside(place, name))


_LOOKS: dict[str, Callable[[Look, Source, str], None]] = {
    kinds.ZIP: _zip,
    kinds.LEGACY: _legacy,
    kinds.TAR: _tar,
    kinds.COMPRESSED: _compressed,
    kinds.NUMPY: _numpy,
    kinds.SAFETENSORS: _safetensors,
    kinds.PICKLE: _pickle,
}
