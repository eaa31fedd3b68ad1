"""Find and read a project's settings: `ckptkit.toml`, or `[tool.ckptkit]` of `pyproject.toml`."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from ckptkit.errors import CkptkitError, UsageError
from ckptkit.storage.repository import MARKS
from ckptkit.storage.source import FileSource

OWN, SHARED = "ckptkit.toml", "pyproject.toml"
MAX_BYTES = 1 << 20


def find(start: Path) -> tuple[Path, Mapping[str, object]] | None:
    """Return the nearest settings at or above a folder, not above its repository; None where there are none.

    Raises:
        UsageError: A file of settings cannot be read.
    """
    here = start.absolute()
    for folder in (here, *here.parents):
        own, shared = folder / OWN, folder / SHARED
        if own.is_file():
            return own, read(own)
        if shared.is_file():
            table = read(shared)
            if table:
                return shared, table
        if any((folder / mark).exists() for mark in MARKS):
            return None
    return None


def read(path: Path) -> Mapping[str, object]:
    """Return the settings in a file; none where a `pyproject.toml` has no table for them.

    Raises:
        UsageError: It is missing, too large, or not TOML.
    """
    try:
        source = FileSource(path)
        if source.size > MAX_BYTES:
            raise UsageError(f"{source.size} bytes of settings; {MAX_BYTES} are read", where=str(path))
        tree = tomllib.loads(source.read(0, source.size).decode())
    except UsageError:
        raise
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"is not TOML: {error}", where=str(path)) from error
    except CkptkitError as error:
        raise UsageError(error.what, where=str(path)) from error
    if path.name != SHARED:
        return tree
    tool = tree.get("tool")
    table = tool.get("ckptkit") if isinstance(tool, Mapping) else None
    if table is None:
        return {}
    if not isinstance(table, Mapping):
        raise UsageError("tool.ckptkit is no table", where=str(path))
    return table
