"""Read and write the index of a registry of published checkpoints."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.ijson import MAX_BYTES, parse
from ckptkit.model.runs import Artifact
from ckptkit.storage.atomic import new_file
from ckptkit.storage.source import FileSource

FILE = "index.json"
NAME = "artifact-index-1.0"
IDENTIFIER = f"https://ckptkit.dev/schemas/{NAME}.schema.json"


def load(registry: Path) -> object:
    """Return the JSON of a registry's index; None where there is none yet.

    Raises:
        UnreadableCheckpointError: It is too large.
        CkptkitError: It cannot be read or is no JSON.
    """
    path = registry / FILE
    if not path.is_file():
        return None
    source = FileSource(path)
    if source.size > MAX_BYTES:
        raise UnreadableCheckpointError(f"an index has at most {MAX_BYTES} bytes", where=str(path))
    return parse(source.read(0, source.size), where=str(path))


def save(registry: Path, artifacts: Iterable[Artifact]) -> None:
    """Write the index, replacing an earlier one.

    Raises:
        WriteError: It cannot be written; an earlier one stays as it is.
    """
    rows = [
        {key: value for key, value in asdict(one).items() if key != "new"}
        for one in sorted(artifacts, key=lambda one: (one.name, one.version))
    ]
    text = json.dumps({"$schema": IDENTIFIER, "artifacts": rows}, indent=2, allow_nan=False) + "\n"
    with new_file(registry / FILE, force=True) as output:
        output.write(text.encode())
