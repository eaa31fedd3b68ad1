"""Entries of a bundle's manifest that differ from its files: which side is right, and what proves it."""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ckptkit.api.reading import read
from ckptkit.checks.contents import hashed
from ckptkit.checks.view import DEPLOY, bundle_of, file_entries, tensor_entries, training_test
from ckptkit.digest import Leaf, content_digest, source_sha256, tensor_sha256
from ckptkit.errors import CkptkitError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import DIGEST_NAME, NAME, digest_line, render
from ckptkit.model.repaired import Fault, Left, Mend
from ckptkit.storage.mending import Planned
from ckptkit.storage.mending.whole import plan_bytes
from ckptkit.storage.replacing import BACKUP

Manifest = dict[str, object]


def plan_manifest(checkpoint: Checkpoint, source: Path | None) -> list[Planned | Left]:
    """Return how a manifest's digests and sizes are put right; nothing where they are.

    Args:
        checkpoint: A deploy bundle.
        source: The file that its lineage names; None to look for it beside the bundle.
    """
    bundle = bundle_of(checkpoint)
    if bundle is None or bundle.encoding != DEPLOY or bundle.manifest is None:
        return []
    wanted = _as_the_files_are(checkpoint, bundle.manifest)
    if wanted == bundle.manifest:
        return []
    place = Path(checkpoint.path) / NAME
    data = render(wanted)
    if hashlib.sha256(data).hexdigest() == bundle.recorded_digest:
        proof = f"the manifest with them has the sha256 that {DIGEST_NAME} records"
        return [_planned(place, data, proof)]
    if bundle.recorded_digest != bundle.actual_digest:
        why = (
            f"entries differ from the files, and with them mended it still is not what {DIGEST_NAME} records"
        )
        return [Left(Fault.MANIFEST, str(place), why, "convert the source again")]
    proof = _same_as_source(checkpoint, wanted, source)
    if not proof:
        why = "entries differ from the files, and no file with the sha256 of its lineage has the same tensors"
        return [Left(Fault.MANIFEST, str(place), why, "--source FILE, or convert the source again")]
    # The digest first: whoever stops between the two is proven right by it in the next run.
    return [
        _planned(place.with_name(DIGEST_NAME), digest_line(data), proof),
        _planned(place, data, proof),
    ]


def _planned(place: Path, data: bytes, proof: str) -> Planned:
    what = "digests and sizes are those of the files" if place.name == NAME else "the manifest's new digest"
    return plan_bytes(Mend(Fault.MANIFEST, str(place), what, proof), data)


def _as_the_files_are(checkpoint: Checkpoint, manifest: Mapping[str, object]) -> Manifest:
    """Return the manifest with the digests and sizes that its files have; all else stays."""
    bundle = bundle_of(checkpoint)
    made: Manifest = copy.deepcopy(dict(manifest))
    files, tensors = made.get("files"), made.get("tensors")
    if bundle is None or not isinstance(files, list) or not isinstance(tensors, list):
        return made
    for file in file_entries(checkpoint):
        member = bundle.members.get(file.path)
        if member is not None and member.source is not None:
            files[file.index] |= {"size": member.source.size, "sha256": source_sha256(member.source)}
    leaves = []
    known = {found.entry.index: found.sha256 for found in hashed(checkpoint) if found.sha256}
    is_training = training_test(checkpoint)
    for entry in tensor_entries(checkpoint):
        digest = known.get(entry.index, entry.sha256)
        if digest != entry.sha256:
            tensors[entry.index] |= {"sha256": digest}
        if not is_training(entry):
            leaves.append(Leaf(entry.name, entry.dtype, entry.shape, digest))
    made["content_digest"] = content_digest(leaves)
    return made


def _same_as_source(checkpoint: Checkpoint, wanted: Manifest, source: Path | None) -> str:
    """Say which file of the lineage has the tensors of the bundle; empty where none has."""
    for path, digest in _sources(checkpoint, source):
        try:
            origin = read(path)
            if source_sha256(origin.files[0].source) != digest:
                continue
            if _holds(origin, checkpoint, wanted):
                return f"{path} has the sha256 of the lineage, and every tensor of the model bit for bit"
        except (CkptkitError, OSError, IndexError):
            continue
    return ""


def _sources(checkpoint: Checkpoint, source: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield where the file of the lineage may be, with its recorded digest."""
    manifest = (checkpoint.bundle.manifest if checkpoint.bundle is not None else None) or {}
    lineage = manifest.get("lineage")
    rows = lineage.get("files") if isinstance(lineage, Mapping) else None
    for row in rows if isinstance(rows, list) else ():
        name, digest = (row.get("path"), row.get("sha256")) if isinstance(row, Mapping) else (None, None)
        if not isinstance(name, str) or not isinstance(digest, str) or row.get("role") != "weights":
            continue
        beside = Path(checkpoint.path).absolute().parent / Path(name).name
        for path in (source,) if source is not None else (beside, beside.with_name(beside.name + BACKUP)):
            if path is not None and path.is_file():
                yield path, digest


def _holds(origin: Checkpoint, checkpoint: Checkpoint, wanted: Manifest) -> bool:
    """Whether a source has the names, types, shapes and bytes of the model, and the files nothing else."""
    changed = {
        file.path
        for file, row in zip(file_entries(checkpoint), _rows(wanted, "files"), strict=True)
        if (file.size, file.sha256) != (row.get("size"), row.get("sha256"))
    }
    is_training = training_test(checkpoint)
    rows = [entry for entry in tensor_entries(checkpoint) if not is_training(entry)]
    if not changed <= {entry.file for entry in rows} or len(rows) != len(origin.tensors):
        return False
    for entry, row in ((entry, _rows(wanted, "tensors")[entry.index]) for entry in rows):
        tensor = origin.tensors.get(entry.name)
        if tensor is None or (tensor.dtype.name, tensor.shape) != (entry.dtype, entry.shape):
            return False
        if tensor_sha256(tensor) != row.get("sha256"):
            return False
    return bool(rows)


def _rows(manifest: Manifest, field: str) -> list[dict[str, object]]:
    rows = manifest.get(field)
    return rows if isinstance(rows, list) else []
