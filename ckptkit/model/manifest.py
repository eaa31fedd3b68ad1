"""The manifest of a v2 encoding: built from a checkpoint, and its bytes (`spec/manifest.md`)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ckptkit.errors import LimitExceededError, UnsupportedTensorError
from ckptkit.model import ijson
from ckptkit.model.canonical import canonical
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.indented import indented
from ckptkit.model.inert import CodeFact
from ckptkit.model.tree import to_json
from ckptkit.version import SPEC_VERSION, __version__

SCHEMA = "https://ckptkit.dev/schemas/manifest-2.0.schema.json"
PARTS_PER_TENSOR = 64
"""Parts more that a manifest may have for each tensor that its files hold; its entry takes about 50."""
DESCRIBED_TENSORS, PARTS_PER_DESCRIBED = 2000, 448
"""Tensors of which the recovered network may say more, and parts for what it says of one."""
NAME, DIGEST_NAME = "ckpt.json", "ckpt.json.sha256"
MODEL, TRAINING = "model", "training"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of `files`.

    Attributes:
        path: Relative to the bundle, with `/`.
        size: In bytes.
        sha256: Hex digest of the raw bytes.
        media_type: Such as `application/vnd.safetensors`.
        role: What the file is for (`model`, `training`).
    """

    path: str
    size: int
    sha256: str
    media_type: str
    role: str


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One entry of `tensors`.

    Attributes:
        name: Name it is stored under.
        dtype: Safetensors spelling.
        shape: Sizes, outermost first.
        sha256: Hex digest of the logical bytes.
        nbytes: Their number.
        role: `model` or `training`; not written, it decides the order and the content digest.
        alias_of: Name of the entry that owns the bytes; empty for an owner.
        file: Member that holds them; empty where the container itself places them.
        offset: First byte in that file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str
    nbytes: int
    role: str
    alias_of: str = ""
    file: str = ""
    offset: int = 0

    def to_json(self) -> dict[str, object]:
        """Return the entry as the manifest spells it."""
        entry: dict[str, object] = {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "sha256": self.sha256,
            "nbytes": self.nbytes,
        }
        if self.file:
            entry |= {"file": self.file, "offset": self.offset}
        if self.alias_of:
            entry["alias_of"] = self.alias_of
        return entry


def build(  # noqa: PLR0913 - one parameter a part of the manifest
    checkpoint: Checkpoint,
    *,
    tensors: Sequence[TensorEntry],
    content_digest: str,
    training_state: object,
    lineage: Mapping[str, object],
    files: Sequence[FileEntry] = (),
    conformance: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return the manifest, its keys in the order in which they are written.

    Args:
        checkpoint: What is described.
        tensors: Model tensors and training tensors, in any order.
        content_digest: Hex, over the model tensors alone.
        training_state: The encoded tree, whose `$tensor` names are those of `tensors`.
        lineage: As `lineage` or `carried` return it.
        files: Files beside the manifest; none where one file holds everything.
        conformance: What the recorded inputs and outputs are; None where there are none.
    """
    ordered = sorted(tensors, key=lambda entry: (entry.role != MODEL, entry.name))
    before = carried(checkpoint)
    return {
        "$schema": SCHEMA,
        "spec_version": SPEC_VERSION,
        "critical": before.get("critical", []),
        "files": [
            {"path": f.path, "size": f.size, "sha256": f.sha256, "media_type": f.media_type, "role": f.role}
            for f in files
        ],
        "tensors": [entry.to_json() for entry in ordered],
        "content_digest": content_digest,
        "architecture": checkpoint.architecture or before.get("architecture"),
        "model_config": to_json(checkpoint.model_config),
        "spaces": to_json(checkpoint.spaces),
        "preprocessing": to_json(list(checkpoint.preprocessing)),
        "postprocessing": to_json(list(checkpoint.postprocessing)),
        "conformance": conformance,
        "training_info": to_json(checkpoint.training_info),
        "training_state": training_state,
        "lineage": lineage,
        "recovery": checkpoint.recovery or before.get("recovery"),
        "extensions": before.get("extensions", {}),
    }


def carried(checkpoint: Checkpoint) -> Mapping[str, object]:
    """Return the manifest that a v2 source brings along; empty for a legacy source."""
    bundle = checkpoint.bundle
    return bundle.manifest or {} if bundle is not None else {}


def lineage(checkpoint: Checkpoint, digests: Mapping[str, str]) -> dict[str, object]:
    """Describe where a legacy checkpoint comes from; it is written once and then carried along.

    Args:
        checkpoint: The source.
        digests: Hex sha256 of each of `checkpoint.files`, by path.
    """
    return {
        "files": [
            {"path": f.path, "size": f.source.size, "sha256": digests[f.path], "role": f.role}
            for f in checkpoint.files
        ],
        "format": checkpoint.format,
        "format_version": checkpoint.format_version,
        "container": checkpoint.container,
        "tool": {"name": "ckptkit", "version": __version__},
        "verdict": str(checkpoint.verdict),
        "migrations": list(checkpoint.migrations),
        "dropped": [{"path": entry.path, "reason": entry.reason} for entry in checkpoint.dropped],
        "code": [_seen(fact) for fact in checkpoint.code],
        "notes": [
            {"kind": note.kind, "message": note.message, "location": note.location}
            for note in checkpoint.notes
        ],
    }


def _seen(fact: CodeFact) -> dict[str, object]:
    """Return one entry of `code`; the names and constants of a code object say what it was."""
    entry: dict[str, object] = {"kind": fact.kind, "name": fact.name, "where": fact.where}
    if fact.names or fact.constants:
        entry |= {"names": list(fact.names), "constants": list(fact.constants)}
    return entry


def render(manifest: Mapping[str, object]) -> bytes:
    """Return the bytes of `ckpt.json`: UTF-8, one space a level, a newline at the end.

    Raises:
        UnsupportedTensorError: A name or a text in it is no Unicode.
        LimitExceededError: It would be longer than a manifest that is read.
    """
    text = indented(manifest)
    try:
        data = f"{text}\n".encode()
    except UnicodeEncodeError as error:
        around = text[max(error.start - 20, 0) : error.end]
        raise UnsupportedTensorError(
            f"a text holds half a UTF-16 pair, which no JSON file can: {around!r}"
        ) from error
    _refuse_long(data, manifest.get("tensors"))
    return data


def most_parts(tensors: int) -> int:
    """Return how many parts (`ijson.parts`) a manifest may have, by the tensors that its files hold."""
    described = min(tensors, DESCRIBED_TENSORS)
    return ijson.MAX_PARTS + PARTS_PER_TENSOR * tensors + PARTS_PER_DESCRIBED * described


def _refuse_long(data: bytes, tensors: object) -> None:
    rows = tensors if isinstance(tensors, list) else ()
    held = sum(isinstance(row, dict) and "alias_of" not in row for row in rows)
    most, found = most_parts(held), ijson.parts(data)
    if len(data) > ijson.MAX_BYTES or found > most:
        raise LimitExceededError(
            f"its manifest would have {len(data)} bytes and {found} parts of JSON, at most {ijson.MAX_BYTES} "
            f"and {most} are read",
            fix="take long lists of numbers out of the checkpoint, or keep them as tensors",
        )


def digest_line(data: bytes) -> bytes:
    """Return the contents of `ckpt.json.sha256` for a manifest of these bytes."""
    return f"{hashlib.sha256(data).hexdigest()}  {NAME}\n".encode()


def bundle_digest(manifest: Mapping[str, object]) -> str:
    """Return the bundle digest: the sha256 of the canonical manifest (RFC 8785)."""
    return hashlib.sha256(canonical(manifest)).hexdigest()
