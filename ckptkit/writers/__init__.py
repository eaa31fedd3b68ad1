"""Writers: one module a target format, found by discovery."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ckptkit.errors import UsageError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.results import Altered, Written
from ckptkit.writers.deployable import Reach


@dataclass(frozen=True, slots=True)
class Writer:
    """One target format.

    Attributes:
        id: Name that `--to` takes.
        summary: One line for people.
        write: Writes a checkpoint to a path that does not exist, or replaces it where `force`
            is set; atomic, and nothing is left behind on failure.
        reach: The level that the result will reach; level 0 for a legacy format.
        describes: Whether the result can hold the architecture.
        alters: What is no plain copy, for a checkpoint and the path to write; raises what `write`
            would raise of the checkpoint itself.
    """

    id: str
    summary: str
    write: Callable[[Checkpoint, Path, bool], Written]
    reach: Callable[[Checkpoint], Reach] = lambda _: Reach(0)
    describes: bool = True
    alters: Callable[[Checkpoint, Path], Altered] = lambda _, __: Altered()


@cache
def writers() -> tuple[Writer, ...]:
    """Return every writer, sorted by id."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    found = (getattr(module, "WRITER", None) for module in modules)
    return tuple(sorted((writer for writer in found if writer), key=lambda writer: writer.id))


def find(target: str) -> Writer:
    """Return the writer for `target`.

    Raises:
        UsageError: There is none of that name.
    """
    for writer in writers():
        if writer.id == target:
            return writer
    known = ", ".join(writer.id for writer in writers())
    raise UsageError(f"unknown target format {target!r}", fix=f"one of: {known}")
