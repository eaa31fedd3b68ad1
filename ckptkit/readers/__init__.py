"""Readers: one module a format, found by discovery, exactly one of which claims a path."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ckptkit.errors import NotACheckpointError, UnreadableCheckpointError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.storage.probe import Probe


@dataclass(frozen=True, slots=True)
class Reader:
    """One format.

    Attributes:
        id: Stable name of the format, as `inspect` prints it.
        summary: One line for people.
        recognises: Looks at bytes and members, never at suffixes; raises nothing of its own.
        read: Makes the checkpoint; tensor bytes stay on disk.
    """

    id: str
    summary: str
    recognises: Callable[[Probe], bool]
    read: Callable[[Probe], Checkpoint]


@cache
def readers() -> tuple[Reader, ...]:
    """Return every reader, sorted by id."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return tuple(sorted((module.READER for module in modules), key=lambda reader: reader.id))


def find(probe: Probe) -> Reader:
    """Return the one reader that claims `probe`.

    Raises:
        NotACheckpointError: No reader does.
        UnreadableCheckpointError: The container is broken, or two readers claim it.
    """
    claims = [reader for reader in readers() if reader.recognises(probe)]
    if len(claims) == 1:
        return claims[0]
    where = str(probe.path)
    if claims:
        names = ", ".join(reader.id for reader in claims)
        raise UnreadableCheckpointError(f"could be read in more than one way: {names}", where=where)
    fix = f"it reads {', '.join(reader.id for reader in readers())}"
    if probe.is_directory:
        fix = "name one that lies in it; inspect, validate, recover, scan and migrate search directories"
    raise NotACheckpointError("not a checkpoint of any format that ckptkit reads", where=where, fix=fix)
