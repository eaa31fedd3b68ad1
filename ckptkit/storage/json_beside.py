"""The JSON that stands beside a named checkpoint: `X.json`, with the same model name and class as `X.pth`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ckptkit.errors import CkptkitError
from ckptkit.model.checkpoint import Checkpoint, Note, SourceFile
from ckptkit.model.ijson import parse
from ckptkit.storage.source import FileSource

SAME = ("model_name", "model_class")
CONFIG = "model_config"
MAX_BYTES = 1 << 20


def attach(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Return a checkpoint with the `model_config` of the JSON beside it.

    A checkpoint that says no name and class, or describes its network itself, needs none. JSON that
    says another name or class is of another model: it is not read, and a note says so.
    """
    own, beside = checkpoint.model_config, path.with_suffix(".json")
    named = all(isinstance(own.get(key), str) for key in SAME)
    if not named or len(own) > len(SAME) or not beside.is_file():
        return checkpoint
    try:
        source = FileSource(beside)
        said = parse(source.read(0, min(source.size, MAX_BYTES + 1)), max_bytes=MAX_BYTES, legacy=True)
    except CkptkitError as error:
        return _stray(checkpoint, beside, f"could not be read: {error.what}")
    config = said.get(CONFIG) if isinstance(said, Mapping) else None
    if not isinstance(said, Mapping) or not isinstance(config, Mapping):
        return checkpoint
    if any(said.get(key) != own[key] for key in SAME):
        return _stray(checkpoint, beside, "says another model name or class: not read")
    fields = {str(key): value for key, value in config.items() if key not in own}
    return replace(
        checkpoint,
        model_config={**own, **fields},
        files=(*checkpoint.files, SourceFile(beside.name, "sidecar", source)),
    )


def _stray(checkpoint: Checkpoint, beside: Path, why: str) -> Checkpoint:
    note = Note("stray-sidecar", f"{beside.name} {why}", beside.name)
    return replace(checkpoint, notes=(*checkpoint.notes, note))
