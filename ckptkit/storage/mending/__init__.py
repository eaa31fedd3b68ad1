"""Mends of single files: each finds a fault by its bytes, and says what proves the change.

A mend writes the new file beside the old one, reads it back, and compares; the caller puts it in place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ckptkit.model.repaired import Fault, Left, Mend


@dataclass(frozen=True, slots=True)
class Planned:
    """A mend that can be made.

    Attributes:
        mend: What it is.
        write: Writes the new file to a path that does not exist yet, and reads it back.
    """

    mend: Mend
    write: Callable[[Path], None]


Plan = Planned | Left | None
"""A mend, a fault that nothing proves the mend of, or no fault."""

__all__ = ["Fault", "Left", "Mend", "Plan", "Planned"]
