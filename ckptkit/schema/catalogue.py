"""Find the JSON Schemas, in an installed wheel and in a checkout."""

import json
from functools import cache
from pathlib import Path
from typing import Any

SUFFIX = ".schema.json"
BASE = "https://ckptkit.dev/schemas/"


def folder() -> Path:
    """Return the folder that holds the schemas.

    A wheel carries them inside the package; an editable checkout has them beside it.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "data" / "schemas", package.parent / "schemas"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"ckptkit is installed without its schemas: none beside or in {package}")


@cache
def names() -> tuple[str, ...]:
    """Return the names of all schemas, such as `manifest-2.0`, sorted."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in folder().glob(f"*{SUFFIX}")))


def read(name: str) -> bytes:
    """Return the bytes of a schema file.

    Args:
        name: Entity and version, such as `manifest-2.0`.

    Raises:
        KeyError: There is no such schema.
    """
    if name not in names():
        raise KeyError(f"no schema {name!r}; there are {', '.join(names())}")
    return (folder() / f"{name}{SUFFIX}").read_bytes()


def find(name: str) -> dict[str, Any]:
    """Return a schema, freshly parsed, so that a caller may change it.

    Raises:
        KeyError: There is no such schema.
    """
    schema: dict[str, Any] = json.loads(read(name))
    return schema


def identifier(name: str) -> str:
    """Return the `$id` of a schema."""
    return f"{BASE}{name}{SUFFIX}"
