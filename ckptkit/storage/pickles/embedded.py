"""Whole torch files that lie as bytes inside a pickle."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

from ckptkit.storage.pickles.machine import Machine
from ckptkit.storage.pickles.nested import descend
from ckptkit.storage.source import MemorySource

if TYPE_CHECKING:
    from ckptkit.storage.torch_file import TorchFile

outer_depth: ContextVar[int] = ContextVar("outer_depth", default=0)
"""How many pickles the torch file that is being opened lies in."""


def open_embedded(m: Machine, data: bytes) -> "TorchFile":
    """Read the torch file that `data` holds.

    Raises:
        CkptkitError: It is broken, forbidden, or lies too deep.
    """
    from ckptkit.storage.torch_file import open_torch

    descend(m, len(data), m.opcode)
    token = outer_depth.set(m.depth + 1)
    try:
        return open_torch(MemorySource(data, f"{m.where}[torch file]"))
    finally:
        outer_depth.reset(token)
