"""The bytes of each listed tensor: in a member of a directory, or in a torch dict."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ckptkit.checks.view import DEPLOY, TensorEntry, bundle_of, tensor_entries
from ckptkit.digest import tensor_sha256
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.bundle import BundleFacts
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.source import Source
from ckptkit.model.tensor import PIECE_BYTES, Tensor
from ckptkit.model.tree import tensors_in


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


def hashed(checkpoint: Checkpoint) -> Iterator[Hashed]:
    """Yield each listed tensor whose bytes exist; equal places are hashed once.

    What the container lacks, or what is placed outside it, is left to the rules on placement; a
    tensor of more bytes than its storage has (it repeats them) to the rule on containers, so that
    a few bytes cannot ask for terabytes to be hashed.
    """
    bundle = bundle_of(checkpoint)
    if bundle is None:
        return
    held = {} if bundle.encoding == DEPLOY else held_tensors(checkpoint)
    known: dict[tuple[object, ...], tuple[str, str]] = {}
    for entry in tensor_entries(checkpoint):
        tensor = held.get(entry.name)
        member = member_source(bundle, entry) if tensor is None else None
        if tensor is not None and tensor.nbytes > tensor.storage.source.size:
            continue
        if tensor is not None:
            place = tensor.identity
        elif member is not None:
            place = (entry.file, entry.offset, entry.size)
        else:
            continue
        if place not in known:
            known[place] = _digest(tensor, member, entry)
        yield Hashed(entry, *known[place])


def held_tensors(checkpoint: Checkpoint) -> Mapping[str, Tensor]:
    """Return the tensors that a torch dict holds, under the names that its manifest lists."""
    return {**checkpoint.tensors, **tensors_in(checkpoint.training_state)}


def member_source(bundle: BundleFacts, entry: TensorEntry) -> Source | None:
    """Return the member that holds all of `entry`'s bytes; None where none does."""
    member = bundle.members.get(entry.file) if entry.file else None
    if member is None or member.source is None or entry.offset is None or entry.size is None:
        return None
    return member.source if entry.offset + entry.size <= member.source.size else None


def source_sha256(source: Source, start: int = 0, length: int | None = None) -> str:
    """Hash `length` bytes from `start`, or all from there on, a bounded piece at a time.

    Raises:
        UnreadableCheckpointError: The range is not wholly inside the source.
    """
    digest = hashlib.sha256()
    end = source.size if length is None else start + length
    for offset in range(start, end, PIECE_BYTES):
        digest.update(source.read(offset, min(PIECE_BYTES, end - offset)))
    return digest.hexdigest()


def _digest(tensor: Tensor | None, member: Source | None, entry: TensorEntry) -> tuple[str, str]:
    try:
        if tensor is not None:
            return tensor_sha256(tensor), ""
        if member is not None and entry.offset is not None:
            return source_sha256(member, entry.offset, entry.size), ""
    except UnreadableCheckpointError as error:
        return "", error.what
    return "", "its bytes are missing"
