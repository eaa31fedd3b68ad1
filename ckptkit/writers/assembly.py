"""Put a bundle's manifest together once its tensors are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ckptkit.digest import Leaf, content_digest
from ckptkit.errors import IntegrityError
from ckptkit.model import manifest as form
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import MODEL, TRAINING, FileEntry, TensorEntry
from ckptkit.model.results import Written
from ckptkit.writers.plan import Plan, Planned

_FIX = "restore the file from its source"


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a tensor went.

    Attributes:
        sha256: Hex digest of its logical bytes.
        file: File of the bundle; empty where the container itself places tensors.
        offset: First byte in that file.
    """

    sha256: str
    file: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """A manifest and what is reported of it.

    Attributes:
        manifest: Ready to be written.
        entries: Its tensors.
    """

    manifest: dict[str, object]
    entries: tuple[TensorEntry, ...]

    def written(self, target: Path, files: Sequence[tuple[str, int, str]]) -> Written:
        """Return what a writer reports.

        Args:
            target: Where the bundle stands.
            files: Path, size and hex sha256 of each file.
        """
        model = [entry for entry in self.entries if entry.role == MODEL]
        return Written(
            path=str(target),
            files=tuple(files),
            content_digest=str(self.manifest["content_digest"]),
            bundle_digest=form.bundle_digest(self.manifest),
            tensors=len(model),
            aliases=sum(bool(entry.alias_of) for entry in model),
            training_tensors=sum(entry.role == TRAINING for entry in self.entries),
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """The tensors of a bundle as its manifest lists them.

    Attributes:
        entries: Model tensors by name, then training tensors by name.
        content_digest: Hex, over the model tensors.
    """

    entries: tuple[TensorEntry, ...]
    content_digest: str


def listed(checkpoint: Checkpoint, plan: Plan, stored: Mapping[tuple[str, str], Stored]) -> Listed:
    """List the tensors, once they are written.

    Args:
        checkpoint: What was written.
        plan: Its tensors.
        stored: Where each owner went, by role and name.

    Raises:
        IntegrityError: A tensor's bytes, or all of them together, differ from the digest that a v2
            source records.
    """
    for planned in plan.tensors:
        _check(planned, stored[planned.role, planned.alias_of or planned.name])
    entries = tuple(
        _entry(planned, stored[planned.role, planned.alias_of or planned.name]) for planned in plan.tensors
    )
    leaves = (Leaf(e.name, e.dtype, e.shape, e.sha256) for e in entries if e.role == MODEL)
    digest = content_digest(leaves)
    before = form.carried(checkpoint).get("content_digest", digest)
    if before != digest:
        raise IntegrityError(
            f"content digest is {digest}, and the source records {before}", where=checkpoint.path, fix=_FIX
        )
    return Listed(entries, digest)


def assemble(
    checkpoint: Checkpoint,
    plan: Plan,
    tensors: Listed,
    lineage: Mapping[str, object],
    files: Sequence[FileEntry] = (),
    conformance: Mapping[str, object] | None = None,
) -> Bundle:
    """Build the manifest.

    Args:
        checkpoint: What was written.
        plan: Its tensors and training state.
        tensors: As `listed` returns them.
        lineage: Where the checkpoint comes from.
        files: Files beside the manifest.
        conformance: What the recorded inputs and outputs are.
    """
    manifest = form.build(
        checkpoint,
        tensors=tensors.entries,
        content_digest=tensors.content_digest,
        training_state=plan.training_state,
        lineage=lineage,
        files=files,
        conformance=conformance,
    )
    return Bundle(manifest, tensors.entries)


def _check(planned: Planned, stored: Stored) -> None:
    expected = planned.tensor.sha256
    if expected and expected != stored.sha256:
        raise IntegrityError(
            f"tensor {planned.name} differs from its digest: expected {expected}, got {stored.sha256}",
            where=planned.tensor.storage.source.name,
            fix=_FIX,
        )


def _entry(planned: Planned, stored: Stored) -> TensorEntry:
    tensor = planned.tensor
    return TensorEntry(
        planned.name,
        tensor.dtype.name,
        tensor.shape,
        stored.sha256,
        tensor.nbytes,
        planned.role,
        planned.alias_of,
        stored.file,
        stored.offset,
    )
