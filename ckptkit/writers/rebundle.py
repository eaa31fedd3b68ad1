"""Give a deploy bundle its graph and recorded outputs anew; everything else in it stays."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ckptkit.graph.onnx_model import External
from ckptkit.model import manifest as form
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import FileEntry
from ckptkit.storage.atomic import new_directory
from ckptkit.writers import conformance, onnx_out
from ckptkit.writers.deploy import write_manifest
from ckptkit.writers.network import Network
from ckptkit.writers.origin import refuse_changed

REPLACED = frozenset((form.NAME, form.DIGEST_NAME, onnx_out.FILE, conformance.FILE))
_ROLES = (onnx_out.ROLE, conformance.ROLE)

Examine = Callable[[Path], None]


def rewrite(checkpoint: Checkpoint, network: Network, examine: Examine) -> list[FileEntry]:
    """Write `model.onnx`, the recorded outputs and the manifest of a bundle anew, in one step.

    Args:
        checkpoint: The bundle, whose files are sound.
        network: What it computes.
        examine: Called with the new `model.onnx` before the bundle changes; may refuse it.

    Returns:
        The files that were written.
    """
    before = form.carried(checkpoint)
    with _beside(Path(checkpoint.path).resolve()) as folder:
        made = network.write(folder, str(before["content_digest"]), places(before))
        examine(folder / onnx_out.FILE)
        refuse_changed(checkpoint)
        kept = [row for row in _rows(before, "files") if row.get("role") not in _ROLES]
        added = [
            {"path": f.path, "size": f.size, "sha256": f.sha256, "media_type": f.media_type, "role": f.role}
            for f in made
        ]
        manifest = {**before, "files": [*kept, *added], "conformance": network.vectors.describe()}
        for field, found in (("architecture", checkpoint.architecture), ("recovery", checkpoint.recovery)):
            manifest[field] = found if found is not None else before.get(field)
        return made + write_manifest(folder, manifest)


def places(manifest: Mapping[str, object]) -> dict[str, External]:
    """Return where each tensor of a sound manifest lies."""
    return {
        str(row["name"]): External(str(row["file"]), int(str(row["offset"])), int(str(row["nbytes"])))
        for row in _rows(manifest, "tensors")
    }


def _rows(manifest: Mapping[str, object], field: str) -> Iterator[Mapping[str, object]]:
    value = manifest.get(field)
    yield from (row for row in value if isinstance(row, Mapping)) if isinstance(value, list) else ()


@contextmanager
def _beside(bundle: Path) -> Iterator[Path]:
    """Give a new directory with all that stays of `bundle`; at the end it takes its place."""
    with new_directory(bundle, force=True, why_not=lambda _: "") as folder:
        for path in sorted(bundle.iterdir()):
            if path.name not in REPLACED:
                _keep(path, folder / path.name)
        yield folder


def _keep(path: Path, place: Path) -> None:
    """Let `place` be what `path` is: a link to the same bytes where the disk can, else a copy."""
    if path.is_symlink():
        place.symlink_to(path.readlink())
    elif path.is_dir():
        place.mkdir()
        for child in sorted(path.iterdir()):
            _keep(child, place / child.name)
    else:
        try:
            os.link(path, place)
        except OSError:
            shutil.copy2(path, place)
