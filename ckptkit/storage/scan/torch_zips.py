"""What the pickle of a torch zip names; equal pickles are read once.

Checkpoints of one network differ in their storages, and mostly in nothing else. So a pickle that was read
before is compared with the members of the archive that it lies in now, and not read again.
"""

from dataclasses import dataclass, replace

from ckptkit.model.finding import Verdict
from ckptkit.model.inert import CodeFact, GlobalUse
from ckptkit.storage.torch_file import WRITTEN, TorchFile, container_facts, from_zip
from ckptkit.storage.zip import ZipArchive

CACHED_BYTES = 1 << 16
CACHED = 256
"""Pickles of up to so many bytes are remembered, and so many of them."""


@dataclass(frozen=True, slots=True)
class TorchFacts:
    """What is known of a torch zip.

    Attributes:
        container: `torch-zip` or `torch-package`.
        verdict: On its pickle.
        globals: Every global that it names.
        code: What is executable in it.
        carries: Whether its layout is known to carry that.
        storages: Key and bytes of each storage that it names.
    """

    container: str
    verdict: Verdict
    globals: tuple[GlobalUse, ...]
    code: tuple[CodeFact, ...]
    carries: bool
    storages: tuple[tuple[str, int], ...]


_known: dict[bytes, TorchFacts] = {}


def read(archive: ZipArchive, place: str) -> TorchFacts:
    """Return what is known of a torch zip.

    Args:
        archive: One for which `is_torch_zip` holds.
        place: What facts call its pickle; empty for `data.pkl`.

    Raises:
        CkptkitError: As `storage.torch_file.from_zip`.
    """
    root = _folder(archive)
    member = archive.members.get(f"{root}data.pkl")
    if member is None or member.size > CACHED_BYTES:
        return facts_of(from_zip(archive, where=place))
    data = archive.read(member.name, CACHED_BYTES)
    known = _known.get(data)
    if known is not None and _fits(archive, root, known):
        container_facts(archive)
        return _at(known, place or "data.pkl")
    facts = facts_of(from_zip(archive, where=place))
    if len(_known) < CACHED and facts.container == "torch-zip":
        _known[data] = _at(facts, "", place or "data.pkl")
    return facts


def others(archive: ZipArchive, facts: TorchFacts) -> list[str]:
    """Return the members that are no storage and that torch does not write."""
    root = _folder(archive)
    named = {f"{root}data/{key}" for key, _ in facts.storages}
    return [name for name in archive.members if name not in named and name.removeprefix(root) not in WRITTEN]


def _folder(archive: ZipArchive) -> str:
    first = next(iter(archive.members))
    return f"{first.partition('/')[0]}/"


def _fits(archive: ZipArchive, root: str, known: TorchFacts) -> bool:
    """Whether every storage that the pickle names is there, and long enough."""
    members = archive.members
    constants = f"{root}constants.pkl" in members
    return not constants and all(
        (member := members.get(f"{root}data/{key}")) is not None and member.size >= size
        for key, size in known.storages
    )


def facts_of(file: TorchFile) -> TorchFacts:
    """Return what is known of a torch file of either container."""
    carries = False
    if file.verdict is Verdict.CONTAINS_CODE:
        from ckptkit.model.torch_layout import layout
        from ckptkit.storage.torch_contents import may_carry

        carries = may_carry(file, layout(file.root))
    storages = tuple((storage.key, storage.source.size) for storage in file.storages)
    return TorchFacts(file.container, file.verdict, file.globals, file.code, carries, storages)


def _at(facts: TorchFacts, place: str, before: str = "") -> TorchFacts:
    """Return facts with their place changed."""
    start = len(before)
    uses = tuple(
        [
            GlobalUse(u.module, u.name, place + u.where[start:], u.offset, u.allowed, u.why)
            for u in facts.globals
        ]
    )
    code = tuple([fact._replace(where=place + fact.where[start:]) for fact in facts.code])
    return replace(facts, globals=uses, code=code)
