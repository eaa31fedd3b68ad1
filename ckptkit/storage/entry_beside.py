"""The `metadata.json` of a league entry of Keisei, which stands beside the entry's `weights.pt`.

Source: Keisei at ccbd2be, `keisei/training/opponent_store.py` (`add_entry`, `clone_entry`).
"""

from dataclasses import replace
from pathlib import Path

from ckptkit.errors import CkptkitError
from ckptkit.model.checkpoint import Checkpoint, Note, SourceFile
from ckptkit.model.ijson import parse
from ckptkit.storage.source import FileSource

WEIGHTS, METADATA = "weights.pt", "metadata.json"
FIELDS = frozenset(("entry_id", "architecture", "model_params"))
NETWORK = ("architecture", "model_params")
MAX_BYTES = 1 << 20


def attach(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Return the weights of a league entry with what its metadata says; any other checkpoint as it is.

    `architecture` and `model_params` describe the network; the rest is training info, as `metadata`.
    Metadata that cannot be read is left out, and a note says why.
    """
    beside = path.with_name(METADATA)
    if path.name != WEIGHTS or not beside.is_file():
        return checkpoint
    try:
        source = FileSource(beside)
        said = parse(source.read(0, min(source.size, MAX_BYTES + 1)), max_bytes=MAX_BYTES, legacy=True)
    except CkptkitError as error:
        note = Note("stray-sidecar", f"{METADATA} could not be read: {error.what}", METADATA)
        return replace(checkpoint, notes=(*checkpoint.notes, note))
    if not isinstance(said, dict) or not said.keys() >= FIELDS:
        return checkpoint
    network = {key: value for key, value in said.items() if key in NETWORK}
    rest = {key: value for key, value in said.items() if key not in NETWORK}
    return replace(
        checkpoint,
        model_config={**network, **checkpoint.model_config},
        training_info={**checkpoint.training_info, "metadata": rest},
        files=(*checkpoint.files, SourceFile(METADATA, "sidecar", source)),
    )
