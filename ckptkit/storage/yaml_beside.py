"""The `config.yaml` of an Asteroids run, which stands beside its checkpoints."""

from dataclasses import replace
from pathlib import Path

from ckptkit.errors import CkptkitError
from ckptkit.model.checkpoint import Checkpoint, Note, SourceFile
from ckptkit.model.systems import ASTEROIDS, system
from ckptkit.model.yaml_subset import YamlError, parse
from ckptkit.storage.source import FileSource

NAME = "config.yaml"
ENTRY = "run_config"
MAX_BYTES = 1 << 18


def attach(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Return an Asteroids checkpoint with the settings of its run in `training_info`; any other as it is.

    Settings that cannot be read as plain ones are left out, and a note says why.
    """
    beside = path.with_name(NAME)
    if ENTRY in checkpoint.training_info or system(checkpoint) != ASTEROIDS or not beside.is_file():
        return checkpoint
    try:
        source = FileSource(beside)
        said = _settings(source)
    except (CkptkitError, ValueError) as error:
        what = error.what if isinstance(error, CkptkitError) else str(error)
        note = Note("stray-sidecar", f"{NAME} was not read: {what}", NAME)
        return replace(checkpoint, notes=(*checkpoint.notes, note))
    return replace(
        checkpoint,
        training_info={**checkpoint.training_info, ENTRY: said},
        files=(*checkpoint.files, SourceFile(NAME, "sidecar", source)),
    )


def _settings(source: FileSource) -> dict[str, object]:
    if source.size > MAX_BYTES:
        raise YamlError(f"{source.size} bytes, at most {MAX_BYTES} are read")
    return parse(source.read(0, source.size).decode("utf-8"))
