"""Pickle streams by themselves: one, or several behind each other, whole, broken or with junk between."""

import re
from dataclasses import dataclass, field

from ckptkit.errors import CkptkitError, LimitExceededError, UnreadableCheckpointError
from ckptkit.model.inert import ClassRef, GlobalUse, Instance
from ckptkit.model.source import Source
from ckptkit.model.tensor import Storage
from ckptkit.storage.pickles import Examined, Pickle, examine
from ckptkit.storage.pickles.limits import MAX_FACTS
from ckptkit.storage.torch_storages import MAX_PICKLE_BYTES, parse_id
from ckptkit.storage.zip.layout import LOCAL_MAGIC

MAX_PICKLES = 10_000
"""Pickles behind each other that are read."""
TRIES = 64
"""Places behind a broken stream at which another is looked for."""
TEXT_BYTES = 64 << 10
"""What is read first of a file that may be a pickle of protocol 0 or 1, which nothing marks as one."""
_START = re.compile(rb"\x80[\x02-\x05]")
_MODULE = re.compile(r"\w+(\.\w+)*", re.ASCII)


def without_frames(error: CkptkitError) -> CkptkitError:
    """Return an error that no longer holds on to what was being read when it was raised."""
    one: BaseException | None = error
    while one is not None and one.__traceback__ is not None:  # an error may be its own cause
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return error


@dataclass(slots=True)
class Streams:
    """The pickles of one place.

    Attributes:
        pickles: In their order, each as far as it could be read.
        problem: The first thing that is wrong; None where all bytes belong to whole pickles.
        archive: Where a zip archive starts behind the pickles; 0 where none does.
    """

    pickles: list[Pickle] = field(default_factory=list)
    problem: CkptkitError | None = None
    archive: int = 0


def read_all(source: Source) -> tuple[bytes, CkptkitError | None]:
    """Return a whole file, or its start and the error for one over `MAX_PICKLE_BYTES`."""
    data = source.read(0, min(source.size, MAX_PICKLE_BYTES))
    if len(data) == source.size:
        return data, None
    over = f"{source.size} bytes, at most {MAX_PICKLE_BYTES} of a pickle are read"
    return data, LimitExceededError(over, where=source.name)


def streams(data: bytes, where: str, *, count: int = 0) -> Streams:
    """Read every pickle of `data`, from its first byte on.

    Args:
        data: The bytes.
        where: What facts and messages call them.
        count: Pickles after which other things follow, as in a legacy torch file; 0 where none may.
    """
    found = Streams()
    at = named = 0
    while at < len(data):
        name = f"{where}[pickle at byte {at}]" if at else where
        one = _looked(data, name, at)
        found.pickles.append(one.pickle)
        found.problem = one.problem
        if one.problem is not None or len(found.pickles) == count:
            break
        named += len(one.pickle.globals)
        if len(found.pickles) > MAX_PICKLES or named > MAX_FACTS:
            over = f"more than {MAX_PICKLES} pickles, or {MAX_FACTS} globals in them, one behind the other"
            found.problem = LimitExceededError(over, where=where)
            break
        at = one.pickle.end
        if at < len(data) and not _goes_on(data, at, where):
            left = f"{len(data) - at} bytes behind the pickle at byte {at}"
            found.problem = UnreadableCheckpointError(left, where=where)
            break
    if found.problem is not None and not count:
        _look_behind(found, data, where)
    return found


def _goes_on(data: bytes, at: int, where: str) -> bool:
    if data[at] == 0x80:
        return True
    return _is_whole(_looked(data, where, at))


def _looked(data: bytes, where: str, start: int) -> Examined:
    """Read a pickle, and keep what it names without its values."""
    one = examine(data, where=where, start=start, persistent=claimed)
    known = one.pickle
    bare = Pickle(None, known.end, known.verdict, known.globals, known.code)
    return Examined(bare, one.problem and without_frames(one.problem))


def _is_whole(one: Examined) -> bool:
    return one.problem is None


def _look_behind(found: Streams, data: bytes, where: str) -> None:
    """Look for what other programs may find behind the place where the pickles break."""
    at = found.pickles[-1].end
    found.archive = max(data.find(LOCAL_MAGIC, at), 0)
    for tried, match in enumerate(_START.finditer(data, at + 1)):
        if tried == TRIES:
            return
        if match.start() >= at:
            name = f"{where}[pickle at byte {match.start()}]"
            one = _looked(data, name, match.start())
            if _is_whole(one) or _refused(one.pickle):
                found.pickles.append(one.pickle)
                at = one.pickle.end


def text_streams(source: Source, where: str) -> Streams | None:
    """Read a file as pickles of protocol 0 or 1; None where it is none.

    Nothing marks such a file. So it counts as one only if a pickle ends where the file does, or if it
    names globals as a pickle does.
    """
    data = source.read(0, min(source.size, TEXT_BYTES))
    first = _looked(data, where, 0)
    if first.problem is not None and len(data) < source.size and first.pickle.end > len(data) // 2:
        data, _ = read_all(source)
        first = _looked(data, where, 0)
    named = any(_plausible(use) for use in first.pickle.globals)
    if _is_whole(first):
        taken = named or first.pickle.end == source.size > 1
    else:
        taken = any(_plausible(use) for use in _refused(first.pickle))
    return streams(data, where) if taken else None


def _refused(pickle: Pickle) -> tuple[GlobalUse, ...]:
    return tuple(use for use in pickle.globals if not use.allowed)


def _plausible(use: GlobalUse) -> bool:
    """Whether a global is named as code is, and not by a line of some text."""
    return all(_MODULE.fullmatch(part) is not None for part in (use.module, use.name))


def claimed(pid: object) -> object:
    """Return what a persistent id of any format stands for; a storage's bytes are not looked for."""
    match pid:
        case ("module", ClassRef() as module, _, _):
            return module
        case tuple() if len(pid) in (5, 6):
            try:
                named = parse_id(pid, "", parts=len(pid))
            except CkptkitError:
                pass
            else:
                return named.typed(Storage(_Absent(named.key, named.nbytes), key=named.key))
    return Instance(ClassRef("pickle", "persistent_load"), (pid,))


@dataclass(frozen=True, slots=True)
class _Absent:
    """A storage that is named and not looked for."""

    name: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Refuse: no tensor is read here."""
        raise UnreadableCheckpointError(f"bytes {offset} to {offset + length} are not read", where=self.name)


def numpy_object(head: bytes) -> int:
    """Return where the pickle of an array of objects starts in an npy file; 0 for any other array.

    Source: numpy 2.4, `numpy/lib/_format_impl.py`.
    """
    width = 2 if head[6:7] == b"\x01" else 4
    start = 8 + width
    length = int.from_bytes(head[8:start], "little")
    described = head[start : start + length]
    return start + length if re.search(rb"'descr':[^}]*O", described) else 0
