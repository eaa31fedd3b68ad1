"""Files that `torch.save` wrote: the zip container, and the way to both containers.

Source: torch 2.13.0, `torch/serialization.py` (`_save`, `_load`) and
`caffe2/serialize/inline_container.{h,cc}`.
"""

from dataclasses import dataclass, field

from ckptkit.errors import CkptkitError, UnknownVersionError, UnreadableCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import CodeFact
from ckptkit.model.source import Source
from ckptkit.model.tensor import Storage
from ckptkit.storage.pickles import Pickle, load
from ckptkit.storage.pickles.torch_values import TypedStorage
from ckptkit.storage.source import Window
from ckptkit.storage.torch_legacy import from_legacy, is_legacy
from ckptkit.storage.torch_storages import MAX_PICKLE_BYTES, TorchFile, parse_id, placed, same_storage
from ckptkit.storage.zip import ZipArchive, is_zip

__all__ = [
    "MAX_PICKLE_BYTES",
    "TorchFile",
    "from_legacy",
    "from_zip",
    "is_legacy",
    "is_torch_zip",
    "open_torch",
]

HEAD_BYTES = 512
_SMALL_BYTES = 1024
_VERSIONS = range(1, 11)
"""File format versions that torch reads (`kMinSupportedFileFormatVersion` and the maximum)."""
_FORMAT_VERSIONS = ("1", "2")
_ORDERS = {"little": False, "big": True}
_SAVE_AGAIN = "load it with torch and save its state_dict() with torch.save"
WRITTEN = {
    "data.pkl",
    "version",
    "byteorder",
    ".format_version",
    ".storage_alignment",
    ".data/serialization_id",
    "ckpt.sha256",
}
"""What torch writes beside storages, without the folder."""


def is_torch_zip(archive: ZipArchive) -> bool:
    """Whether torch wrote the archive: a state dict or other object, TorchScript, or a package."""
    members = archive.members
    root = _root(archive)
    return bool(root) and any(
        f"{root}/{name}" in members for name in ("data.pkl", "constants.pkl", ".data/extern_modules")
    )


def open_torch(source: Source, *, where: str = "") -> TorchFile:
    """Read a torch file of either container, such as a `.pth` member of another archive.

    Args:
        source: The whole file.
        where: What globals and code facts call it; empty for the pickle's own name.

    Raises:
        UnreadableCheckpointError: It is neither container, or a broken one.
    """
    head = source.read(0, min(HEAD_BYTES, source.size))
    if is_zip(head):
        archive = ZipArchive.open(source)
        if is_torch_zip(archive):
            return from_zip(archive, where=where)
    elif is_legacy(head):
        return from_legacy(source, where=where)
    raise UnreadableCheckpointError("is not a file that torch.save wrote", where=source.name)


def from_zip(archive: ZipArchive, *, where: str = "") -> TorchFile:
    """Read the zip container; storages are bound to their members and not read.

    Args:
        archive: One for which `is_torch_zip` holds.
        where: What globals and code facts call it; empty for `data.pkl`.

    Returns:
        Its `facts`: `root_folder`, `version`, `format_version`, `byteorder`, `storage_alignment`
        (text as the file has it, None where absent), `unreferenced` (members under `data/` that
        the pickle does not name), `unknown` (members that torch does not write), `oversized`
        (storages with more bytes than the pickle says), and `aligned` (bytes that every
        storage's place is a multiple of, at most 4096).

    Raises:
        UnreadableCheckpointError: A part is missing, malformed, or too short; or the archive is
            TorchScript, which has no state dict to read, or a package of several objects.
        UnknownVersionError: It is of a version that torch does not read either.
    """
    root = _root(archive)
    _refuse_programs(archive, root)
    if f"{root}/data.pkl" not in archive.members:
        return _from_package(archive, root, where)
    facts = container_facts(archive)
    storages = _Storages(archive, f"{root}/data/", big_endian=_ORDERS[str(facts["byteorder"] or "little")])
    pickle = _loaded(storages, f"{root}/data.pkl", where or "data.pkl")
    return TorchFile(
        pickle.root,
        "torch-zip",
        pickle.verdict,
        pickle.globals,
        pickle.code,
        tuple(typed.storage for typed in storages.found.values()),
        facts | storages.facts(root),
    )


def _loaded(storages: "_Storages", name: str, where: str) -> Pickle:
    """Read the pickle that is the member `name`."""
    archive = storages.archive
    data = archive.read(name, MAX_PICKLE_BYTES)
    try:
        pickle = load(data, where=where, persistent=storages.find)
    except CkptkitError as error:
        raise placed(error, archive.source.name) from error
    if pickle.end != len(data):
        raise _broken(archive, f"{len(data) - pickle.end} bytes behind the pickle in {name}")
    return pickle


def _from_package(archive: ZipArchive, root: str, where: str) -> TorchFile:
    """Read the one object of a `torch.package` archive; the Python sources in it are listed and not read.

    Source: torch 2.13.0, `torch/package/package_exporter.py` (`save_pickle`, `_persistent_id`).
    """
    inside = {name: name.removeprefix(f"{root}/") for name in archive.members}
    pickles = [
        name for name, path in inside.items() if path.endswith(".pkl") and not path.startswith(".data/")
    ]
    if len(pickles) != 1:
        named = ", ".join(inside[name] for name in pickles[:5]) or "none"
        raise UnreadableCheckpointError(
            f"is a torch.package archive with other than one pickled object: {named}",
            where=archive.source.name,
            fix=_SAVE_AGAIN,
        )
    order = _small(archive, f"{root}/byteorder")
    if order not in (None, *_ORDERS):
        raise _broken(archive, f"unknown byte order {order!r}")
    storages = _Storages(archive, f"{root}/.data/", _ORDERS[order or "little"], ".storage")
    (name,) = pickles
    pickle = _loaded(storages, name, where or inside[name])
    sources = tuple(CodeFact("code", path, path) for path in inside.values() if path.endswith(".py"))
    code = pickle.verdict is Verdict.DATA_ONLY and sources
    return TorchFile(
        pickle.root,
        "torch-package",
        Verdict.CONTAINS_CODE if code else pickle.verdict,
        pickle.globals,
        (*pickle.code, *sources),
        tuple(typed.storage for typed in storages.found.values()),
        {"root_folder": root, "byteorder": order},
    )


def _root(archive: ZipArchive) -> str:
    """Return the folder of the first member, which torch takes for the archive's name."""
    first = next(iter(archive.members), "")
    return first.partition("/")[0] if "/" in first else ""


def _refuse_programs(archive: ZipArchive, root: str) -> None:
    if f"{root}/constants.pkl" in archive.members:
        raise UnreadableCheckpointError(
            "is a TorchScript archive, a program and not a checkpoint",
            where=archive.source.name,
            fix=_SAVE_AGAIN,
        )


def container_facts(archive: ZipArchive) -> dict[str, object]:
    """Return what the small members of a saved object's archive say; see `from_zip`.

    Raises:
        UnreadableCheckpointError: A member is missing, malformed, or lies outside the folder.
        UnknownVersionError: It is of a version that torch does not read either.
    """
    root = _root(archive)
    outside = next((name for name in archive.members if not name.startswith(f"{root}/")), None)
    if outside:
        raise _broken(archive, f"member {outside!r} lies outside the folder {root!r}")
    names = ("version", ".format_version", "byteorder", ".storage_alignment", ".data/serialization_id")
    version, layout, order, alignment, _ = (_small(archive, f"{root}/{name}") for name in names)
    if version is None:
        raise _broken(archive, "has no member 'version'")
    if not version.strip().isdecimal() or int(version) not in _VERSIONS:
        raise UnknownVersionError(
            f"torch zip of unknown version {version.strip()!r}", where=archive.source.name
        )
    if layout not in (None, *_FORMAT_VERSIONS):
        raise UnknownVersionError(
            f"torch zip of unknown format version {layout!r}", where=archive.source.name
        )
    if order not in (None, *_ORDERS):
        raise _broken(archive, f"unknown byte order {order!r}")
    if alignment is not None and not alignment.isdecimal():
        raise _broken(archive, f"storage alignment {alignment!r} is no number")
    return {
        "root_folder": root,
        "version": version.strip(),
        "format_version": layout,
        "byteorder": order,
        "storage_alignment": alignment,
    }


def _small(archive: ZipArchive, name: str) -> str | None:
    if name not in archive.members:
        return None
    try:
        return archive.read(name, _SMALL_BYTES).decode("ascii")
    except UnicodeDecodeError:
        raise _broken(archive, f"member {name!r} is not ASCII text") from None


def _broken(archive: ZipArchive, what: str) -> UnreadableCheckpointError:
    return UnreadableCheckpointError(what, where=archive.source.name)


@dataclass(slots=True)
class _Storages:
    """The storages that a pickle has named so far."""

    archive: ZipArchive
    prefix: str
    big_endian: bool
    suffix: str = ""
    found: dict[str, TypedStorage] = field(default_factory=dict)

    def find(self, pid: object) -> object:
        """Return the storage that a persistent id names."""
        if self.suffix:
            pid = _with_text_key(pid)
        named = parse_id(pid, self.archive.source.name)
        known = self.found.get(named.key)
        if known:
            return same_storage(known, named, self.archive.source.name)
        source = self.archive.source_of(self.prefix + named.key + self.suffix)
        if source.size < named.nbytes:
            raise UnreadableCheckpointError(
                f"storage of {source.size} bytes is named as one of {named.nbytes}", where=source.name
            )
        if source.size > named.nbytes:
            source = Window(source, 0, named.nbytes)
        typed = named.typed(Storage(source, self.big_endian, named.key))
        self.found[named.key] = typed
        return typed

    def facts(self, root: str) -> dict[str, object]:
        """Compare the members with what was named."""
        members = self.archive.members
        names = {self.prefix + key for key in self.found}
        rest = [name for name in members if name not in names]
        places = [members[name].offset for name in names if members[name].size] or [0]
        return {
            "unreferenced": tuple(name for name in rest if name.startswith(self.prefix)),
            "unknown": tuple(
                name
                for name in rest
                if not name.startswith(self.prefix) and name[len(root) + 1 :] not in WRITTEN
            ),
            "oversized": tuple(
                self.prefix + key
                for key, typed in self.found.items()
                if members[self.prefix + key].size > typed.storage.source.size
            ),
            "aligned": _alignment(places),
        }


def _with_text_key(pid: object) -> object:
    """Return the persistent id of a package, which counts its storages where other files name them."""
    match pid:
        case (str(kind), cls, int(number), *rest):
            return (kind, cls, str(number), *rest)
    return pid


def _alignment(places: list[int]) -> int:
    together = 4096
    for place in places:
        together |= place
    return together & -together
