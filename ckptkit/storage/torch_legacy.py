"""Files that `torch.save` wrote before torch 1.6, and since then on request.

Five pickles stand one behind the other: a magic number, the protocol version, facts of the
machine, the saved object, and the keys of its storages. Then come the storages in the order of
the keys: the number of elements as a signed 64-bit integer, then the elements. Numbers are
little-endian whatever the machine was: torch swaps them on big-endian ones when it writes and
when it reads (`torch/csrc/serialization.cpp`, `THPStorage_writeFileRaw`).

Source: torch 2.13.0, `torch/serialization.py` (`_legacy_save`, `_legacy_load`).
"""

import re
import struct
from dataclasses import dataclass, field

from ckptkit.errors import CkptkitError, LimitExceededError, UnknownVersionError, UnreadableCheckpointError
from ckptkit.model.inert import ClassRef
from ckptkit.model.source import Mapped, Source, mapped, read_into
from ckptkit.model.tensor import Storage
from ckptkit.storage.pickles import Pickle, load
from ckptkit.storage.pickles.torch_values import TypedStorage
from ckptkit.storage.source import Window
from ckptkit.storage.torch_storages import (
    MAX_PICKLE_BYTES,
    StorageId,
    TorchFile,
    parse_id,
    placed,
    same_storage,
    worst,
)

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

_HEAD = re.compile(
    rb"(?:\x80[\x02-\x05](?:\x95.{8})?\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19|L119547037146038801333356L\n)\.",
    re.DOTALL,
)
_TAR_MEMBERS = (b"sys_info", b"pickle", b"storages", b"tensors")
_PREFIXES = (1 << 18, 4 << 20, MAX_PICKLE_BYTES)
"""How much is read to find the end of the pickles, one try after the other."""
_PARTS = ("magic number", "protocol version", "sys_info", "pickle", "storage keys")


def is_legacy(head: bytes) -> bool:
    """Whether a file that starts with `head` (512 bytes) is of this form, or of the tar before it."""
    return _HEAD.match(head) is not None or _is_tar(head)


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar" and head[:100].rstrip(b"\0") in _TAR_MEMBERS


def from_legacy(source: Source, *, where: str = "") -> TorchFile:
    """Read the legacy container; storages are bound to their places and not read.

    Args:
        source: One for whose head `is_legacy` holds.
        where: What globals and code facts call it; empty for the name of each pickle.

    Returns:
        Its `facts`: `protocol_version`, `sys_info`, `views` (number of storages that are parts
        of others) and `modules` (classes whose source text the file carries).

    Raises:
        UnreadableCheckpointError: A part is malformed, bytes are missing or left over.
        UnknownVersionError: The protocol is unknown, or the file is a tar of torch 0.1.
        LimitExceededError: The pickles are over `MAX_PICKLE_BYTES`.
    """
    if _is_tar(source.read(0, min(512, source.size))):
        raise UnknownVersionError(
            "is a tar that torch before 0.1.10 wrote, which is not read",
            where=source.name,
            fix="load it with torch and save it again with torch.save",
        )
    try:
        pickles, storages = _read_pickles(source, where)
    except CkptkitError as error:
        raise placed(error, source.name) from error
    magic, protocol, system, saved, keys = (pickle.root for pickle in pickles)
    if magic != MAGIC or protocol != PROTOCOL or isinstance(protocol, bool):
        raise UnknownVersionError(f"torch file of unknown protocol {protocol!r}", where=source.name)
    if not isinstance(system, dict) or system.get("protocol_version") != PROTOCOL:
        raise UnreadableCheckpointError("sys_info is not what torch writes", where=source.name)
    _bind(source, pickles[-1].end, keys, storages)
    return TorchFile(
        saved,
        "torch-legacy",
        worst(pickles),
        tuple(use for pickle in pickles for use in pickle.globals),
        tuple(fact for pickle in pickles for fact in pickle.code),
        tuple(typed.storage for typed in storages.found.values()),
        {
            "protocol_version": protocol,
            "sys_info": system,
            "views": len(storages.views),
            "modules": tuple(str(module) for module in storages.modules),
        },
    )


def _read_pickles(source: Source, where: str) -> tuple[tuple[Pickle, ...], "_Storages"]:
    """Read the five pickles from a prefix of the file that grows until it holds them."""
    for prefix in _PREFIXES:
        data = source.read(0, min(prefix, source.size))
        storages = _Storages(source.name)
        try:
            pickles: list[Pickle] = []
            for part in _PARTS:
                start = pickles[-1].end if pickles else 0
                find = storages.find if part == "pickle" else None
                pickles.append(load(data, where=where or part, start=start, persistent=find))
        except LimitExceededError:
            raise
        except CkptkitError:
            if len(data) == source.size:
                raise
        else:
            return tuple(pickles), storages
    raise LimitExceededError(f"its pickles do not end within {MAX_PICKLE_BYTES} bytes", where=source.name)


def _bind(source: Source, at: int, keys: object, storages: "_Storages") -> None:
    """Give every storage its place, and every byte of the file to a storage."""
    if (
        not isinstance(keys, list)
        or not all(isinstance(key, str) for key in keys)
        or len(set(keys)) != len(keys)
    ):
        raise UnreadableCheckpointError("storage keys are not a list of different keys", where=source.name)
    if set(keys) != set(storages.roots):
        raise UnreadableCheckpointError(
            "the saved object and the list of storages name different storages", where=source.name
        )
    for key in keys:
        place = storages.roots[key]
        (count,) = struct.unpack("<q", source.read(at, 8))
        if count != place.numel:
            raise UnreadableCheckpointError(
                f"storage {key!r} is named as one of {place.numel} elements and has {count}",
                where=source.name,
            )
        place.late.window = Window(source, at + 8, place.late.size, f"{source.name}:storage {key}")
        at += 8 + place.late.size
    if at != source.size:
        raise UnreadableCheckpointError(
            f"{source.size - at} bytes behind the last storage", where=source.name
        )


@dataclass(slots=True)
class _Late:
    """A source whose place is known once the pickles have been read."""

    name: str
    size: int
    window: Source | None = None

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; see `model.source.Source`."""
        if self.window is None:
            raise UnreadableCheckpointError("read before the storages were found", where=self.name)
        return self.window.read(offset, length)

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes at `offset`; see `model.source.read_into`."""
        if self.window is None:
            raise UnreadableCheckpointError("read before the storages were found", where=self.name)
        read_into(self.window, offset, buffer)

    def mapped(self, offset: int, length: int, writable: bool) -> Mapped | None:
        """Map the bytes at `offset`; see `model.source.mapped`."""
        return None if self.window is None else mapped(self.window, offset, length, writable=writable)


@dataclass(frozen=True, slots=True)
class _Place:
    """One storage of the file: its elements, and the source to be bound."""

    numel: int
    late: _Late


@dataclass(slots=True)
class _Storages:
    """The storages that the saved object has named so far."""

    where: str
    found: dict[str, TypedStorage] = field(default_factory=dict)
    roots: dict[str, _Place] = field(default_factory=dict)
    views: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    modules: list[ClassRef] = field(default_factory=list)

    def find(self, pid: object) -> object:
        """Return the storage, or the module class, that a persistent id names."""
        match pid:
            case ("module", ClassRef() as module, _, _):
                self.modules.append(module)
                return module
        named = parse_id(pid, self.where, parts=6)
        root = self.found.get(named.key)
        if root is None:
            late = _Late(f"{self.where}:storage {named.key}", named.nbytes)
            root = named.typed(Storage(late, key=named.key))
            self.found[named.key] = root
            self.roots[named.key] = _Place(named.numel, late)
        else:
            same_storage(root, named, self.where)
        return root if named.view is None else self._view(root, named)

    def _view(self, root: TypedStorage, named: StorageId) -> TypedStorage:
        """Return a part of a storage, which files before torch 0.4 name apart."""
        match named.view:
            case (str(key), int(offset), int(numel)):
                view = (named.key, offset, numel)
            case _:
                raise UnreadableCheckpointError("view of a storage is malformed", where=self.where)
        known = self.found.get(key)
        if self.views.setdefault(key, view) != view or (known is not None and key in self.roots):
            raise UnreadableCheckpointError(f"storage {key!r} is named in two ways", where=self.where)
        if (offset, numel) == (0, root.numel):
            return root
        if known is None:
            itemsize = named.nbytes // named.numel if named.numel else 1
            part = Window(
                root.storage.source, offset * itemsize, numel * itemsize, f"{self.where}:storage {key}"
            )
            known = TypedStorage(Storage(part, key=key), root.dtype, numel, root.kind)
            self.found[key] = known
        return known
