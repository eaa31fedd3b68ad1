"""Read and write a baseline, which is JSON in one fixed form."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ckptkit.errors import UsageError
from ckptkit.model.baseline import Accepted
from ckptkit.model.ijson import MAX_BYTES, parse
from ckptkit.storage.source import FileSource

NAME = "baseline-1.0"
IDENTIFIER = f"https://ckptkit.dev/schemas/{NAME}.schema.json"


def load(path: Path) -> object:
    """Return the JSON of a baseline.

    Raises:
        UsageError: It is too large.
        CkptkitError: It is missing or no JSON.
    """
    source = FileSource(path)
    if source.size > MAX_BYTES:
        raise UsageError(f"{source.size} bytes; a baseline has at most {MAX_BYTES}", where=str(path))
    return parse(source.read(0, source.size), where=str(path))


def entries(document: Mapping[str, object]) -> tuple[Accepted, ...]:
    """Return the entries of a document that follows the schema."""
    rows = document["findings"]
    fields = Accepted.__dataclass_fields__
    return tuple(
        Accepted(**{name: str(value) for name, value in row.items() if name in fields})
        for row in (rows if isinstance(rows, list) else ())
    )


def save(path: Path, accepted: Iterable[Accepted]) -> None:
    """Write a baseline, replacing an earlier one.

    Raises:
        WriteError: It cannot be written; an earlier one stays as it is.
    """
    rows = [
        {name: value for name in entry.__dataclass_fields__ if (value := getattr(entry, name))}
        for entry in sorted(accepted, key=lambda one: (one.path, one.code, one.location, one.fingerprint))
    ]
    text = json.dumps({"$schema": IDENTIFIER, "findings": rows}, indent=2) + "\n"
    from ckptkit.storage.atomic import new_file  # of no use to those who read one

    with new_file(path, force=True) as output:
        output.write(text.encode())
