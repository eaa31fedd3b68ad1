"""The bytes of each listed tensor and file: in a directory, or in a torch dict."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ckptkit.checks.hashing import Sum, run_of, sha256_of_all
from ckptkit.checks.view import DEPLOY, TensorEntry, bundle_of, file_entries, tensor_entries
from ckptkit.errors import CkptkitError
from ckptkit.model.bundle import BundleFacts
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.source import Source
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in
from ckptkit.model.verify import Verify
from ckptkit.storage.canonical_safetensors import Row, layout


@dataclass(frozen=True, slots=True)
class Hashed:
    """A listed tensor and the digest of the bytes that are there.

    Attributes:
        entry: The manifest's entry.
        sha256: Hex digest of its bytes; empty where they cannot be read.
        problem: Why they cannot be read; empty otherwise.
    """

    entry: TensorEntry
    sha256: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sums:
    """The digests of the bytes that are there.

    Attributes:
        tensors: Each listed tensor whose bytes were read.
        files: Each listed file whose bytes were read as a whole, by path.
    """

    tensors: tuple[Hashed, ...] = ()
    files: Mapping[str, Sum] = field(default_factory=dict)


def sums(checkpoint: Checkpoint, verify: Verify) -> Sums:
    """Hash what `verify` asks for, all at once; equal places are hashed once.

    What the container lacks, or what is placed outside it, is left to the rules on placement; a
    tensor of more bytes than its storage has (it repeats them) to the rule on containers, so that
    a few bytes cannot ask for terabytes to be hashed.
    """
    files = {path: run_of(source, 0, source.size) for path, source in whole_files(checkpoint, verify).items()}
    placed = list(_placed(checkpoint)) if _reads_tensors(checkpoint, verify) else []
    runs: dict[tuple[object, ...], Tensor] = {(path,): run for path, run in files.items()}
    for _, place, run in sorted(placed, key=lambda one: (one[0].file, one[0].offset or 0)):
        runs.setdefault(place, run)
    found = sha256_of_all(runs)
    tensors = tuple(Hashed(entry, found[place].sha256, found[place].problem) for entry, place, _ in placed)
    return Sums(tensors, {path: found[(path,)] for path in files})


def hashed(checkpoint: Checkpoint) -> tuple[Hashed, ...]:
    """Return each listed tensor whose bytes exist, with their digest."""
    placed = list(_placed(checkpoint))
    found = sha256_of_all({place: run for _, place, run in placed})
    return tuple(Hashed(entry, found[place].sha256, found[place].problem) for entry, place, _ in placed)


def left_out(checkpoint: Checkpoint, verify: Verify) -> dict[str, str]:
    """Say which recorded digests `verify` does not compare with bytes, by the rule that would do it."""
    if verify is Verify.ALL:
        return {}
    found = {}
    if bundle_of(checkpoint) is not None:
        files = set(_sources(checkpoint)) - set(whole_files(checkpoint, verify))
        if not _reads_tensors(checkpoint, verify):
            found["CK301"] = "the sha256 of its tensors"
        if files:
            found["CK302"] = f"the sha256 of {', '.join(sorted(files))}"
    elif verify is Verify.HEADER:
        found["CK313"] = "the checksums of its members"
    around = checkpoint.surroundings
    if verify is Verify.HEADER and around is not None and any(origin.touched for origin in around.origins):
        found["CK701"] = "the sha256 of the file that it was made from"
    return found


def whole_files(checkpoint: Checkpoint, verify: Verify) -> Mapping[str, Source]:
    """Return the listed files that are hashed as a whole, by path.

    A file of tensors need not be where those are hashed and its header is the one that follows from
    the manifest: between them they are all of its bytes.
    """
    sources = _sources(checkpoint)
    if verify is Verify.HEADER:
        return {}
    if verify is not Verify.TENSORS:
        return sources
    return {path: source for path, source in sources.items() if not _is_rebuilt(checkpoint, path, source)}


def _sources(checkpoint: Checkpoint) -> dict[str, Source]:
    """Return each listed file that is there and of the size that is recorded."""
    bundle, found = bundle_of(checkpoint), {}
    for entry in file_entries(checkpoint) if bundle is not None else ():
        member = bundle.members.get(entry.path) if bundle is not None else None
        if member is not None and member.source is not None and member.source.size == entry.size:
            found[entry.path] = member.source
    return found


def _reads_tensors(checkpoint: Checkpoint, verify: Verify) -> bool:
    """Whether tensors are hashed by themselves; a torch dict has no other digests of them."""
    bundle = bundle_of(checkpoint)
    if bundle is None or verify is Verify.HEADER:
        return False
    return verify is not Verify.FILES or bundle.encoding != DEPLOY


def _is_rebuilt(checkpoint: Checkpoint, path: str, source: Source) -> bool:
    """Whether a file is exactly what the manifest's tensors make it, as far as they do not say its data."""
    entries = [entry for entry in tensor_entries(checkpoint) if entry.file == path and not entry.alias_of]
    if not entries or any(entry.dtype not in BY_NAME for entry in entries):
        return False
    try:
        made = layout(Row(entry.name, BY_NAME[entry.dtype], entry.shape) for entry in entries)
        there = source.size == made.size and source.read(0, len(made.header)) == made.header
    except (CkptkitError, ValueError):  # it has no such form, and is hashed instead
        return False
    return there and [made.offsets[entry.name] for entry in entries] == [entry.offset for entry in entries]


def _placed(checkpoint: Checkpoint) -> Iterator[tuple[TensorEntry, tuple[object, ...], Tensor]]:
    """Yield each listed tensor whose bytes exist, with what is equal for equal places."""
    bundle = bundle_of(checkpoint)
    if bundle is None:
        return
    held = {} if bundle.encoding == DEPLOY else held_tensors(checkpoint)
    for entry in tensor_entries(checkpoint):
        tensor = held.get(entry.name)
        member = member_source(bundle, entry) if tensor is None else None
        if tensor is not None and tensor.nbytes <= tensor.storage.source.size:
            yield entry, tensor.identity, tensor
        elif member is not None and entry.offset is not None and entry.size is not None:
            yield entry, (entry.file, entry.offset, entry.size), run_of(member, entry.offset, entry.size)


def held_tensors(checkpoint: Checkpoint) -> Mapping[str, Tensor]:
    """Return the tensors that a torch dict holds, under the names that its manifest lists."""
    return {**checkpoint.tensors, **tensors_in(checkpoint.training_state)}


def member_source(bundle: BundleFacts, entry: TensorEntry) -> Source | None:
    """Return the member that holds all of `entry`'s bytes; None where none does."""
    member = bundle.members.get(entry.file) if entry.file else None
    if member is None or member.source is None or entry.offset is None or entry.size is None:
        return None
    return member.source if entry.offset + entry.size <= member.source.size else None
