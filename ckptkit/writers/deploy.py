"""The deploy bundle: a directory with weights, training state and a manifest."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ckptkit.model import ijson
from ckptkit.model import manifest as form
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import MODEL, TRAINING, FileEntry
from ckptkit.model.results import Written
from ckptkit.storage.atomic import new_directory
from ckptkit.storage.manifest_json import examine_manifest
from ckptkit.storage.output import create
from ckptkit.storage.source import FileSource
from ckptkit.writers import Writer, copying, onnx_out, safetensors_out
from ckptkit.writers.assembly import Stored, assemble, listed
from ckptkit.writers.deployable import reach_deployed
from ckptkit.writers.network import runnable
from ckptkit.writers.origin import Origin, sources
from ckptkit.writers.plan import plan

WEIGHTS = {MODEL: "model.safetensors", TRAINING: "training.safetensors"}
_OWN = frozenset((form.NAME, form.DIGEST_NAME, *WEIGHTS.values(), "model.onnx", "conformance.safetensors"))
"""Files that a bundle may hold whatever its manifest says."""


def write(checkpoint: Checkpoint, target: Path, force: bool) -> Written:
    """Write a deploy bundle.

    Args:
        checkpoint: What to write.
        target: Directory to make.
        force: Whether a bundle that stands there is replaced.

    Raises:
        IntegrityError: A tensor's bytes differ from what the source records.
        CkptkitError: As `plan` and `new_directory`.
    """
    planned = plan(checkpoint)
    network = runnable(checkpoint)
    layouts = {role: safetensors_out.layout(planned.owners(role)) for role in WEIGHTS}
    if not layouts[TRAINING].placed:
        del layouts[TRAINING]
    with (
        Origin(checkpoint) as origin,
        new_directory(target, force=force, why_not=why_not, sources=sources(checkpoint)) as folder,
    ):
        files, stored = write_weights(folder, layouts)
        tensors = listed(checkpoint, planned, stored)
        conformance = None
        if network is not None:
            files += network.write(folder, tensors.content_digest, onnx_out.places(tensors.entries))
            conformance = network.vectors.describe()
        bundle = assemble(checkpoint, planned, tensors, origin.lineage(), files, conformance)
        files += write_manifest(folder, bundle.manifest)
    return bundle.written(target, [(file.path, file.size, file.sha256) for file in files])


def write_weights(
    folder: Path, layouts: Mapping[str, safetensors_out.Layout]
) -> tuple[list[FileEntry], dict[tuple[str, str], Stored]]:
    """Write a safetensors file a role; return the files, and where each tensor went."""
    stored: dict[tuple[str, str], Stored] = {}
    files = []
    for role, layout in layouts.items():
        with create(folder / WEIGHTS[role]) as output:
            made = safetensors_out.write(output, layout)
        copying.verify(made.copies)
        files.append(FileEntry(WEIGHTS[role], made.size, made.sha256, safetensors_out.MEDIA_TYPE, role))
        for copy, (_, offset) in zip(made.copies, layout.placed, strict=True):
            stored[role, copy.planned.name] = Stored(copy.sha256, WEIGHTS[role], offset)
    return files, stored


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> list[FileEntry]:
    """Write `ckpt.json` and its digest into `folder`; return both, with the role `manifest`."""
    text = form.render(manifest)
    made = []
    for name, data, kind in (
        (form.NAME, text, "application/json"),
        (form.DIGEST_NAME, form.digest_line(text), "text/plain"),
    ):
        with create(folder / name) as output:
            output.write(data)
        made.append(FileEntry(name, len(data), hashlib.sha256(data).hexdigest(), kind, "manifest"))
    return made


def why_not(folder: Path) -> str:
    """Say why a directory must not be replaced; empty where nothing but a bundle would be lost.

    Args:
        folder: An existing directory.
    """
    names = sorted(path.name for path in folder.iterdir())
    if not names:
        return ""
    if not (folder / form.NAME).is_file():
        return "is no ckptkit bundle"
    strangers = set(names) - _OWN - _listed(folder / form.NAME)
    return f"holds {min(strangers)}, which is no part of a bundle" if strangers else ""


def _listed(path: Path) -> set[str]:
    """Return the first parts of the paths that a manifest lists; none where it is broken."""
    source = FileSource(path)
    weights = (FileSource(file) for file in path.parent.glob("*.safetensors") if file.is_file())
    tree = examine_manifest(source.read(0, min(source.size, ijson.MAX_BYTES)), weights).value
    rows = tree.get("files") if isinstance(tree, dict) else None
    paths = (row.get("path") for row in rows or () if isinstance(row, dict)) if isinstance(rows, list) else ()
    return {name.partition("/")[0] for name in paths if isinstance(name, str)}


WRITER = Writer(
    "deploy", "a directory: safetensors, ONNX graph, training state and manifest", write, reach_deployed
)
