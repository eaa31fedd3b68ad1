"""What turning an agent into today's form changed, kept for the receipt."""

from dataclasses import dataclass, field

from ckptkit.model.checkpoint import Dropped, Note


@dataclass(frozen=True, slots=True)
class Changes:
    """The record of one conversion; every function that alters something adds to it.

    Attributes:
        changed: What is written otherwise than the source has it, one line each.
        dropped: What is not written at all.
        assumed: Fields that the source lacks and that today's defaults fill, one line each.
        notes: What the user of the result has to know.
    """

    changed: list[str] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def change(self, line: str) -> None:
        """Record a change; the same line once."""
        if line not in self.changed:
            self.changed.append(line)

    def drop(self, path: str, reason: str) -> None:
        """Record an entry that is left out."""
        self.dropped.append(Dropped(path, reason))

    def note(self, kind: str, message: str, location: str = "") -> None:
        """Record a fact."""
        self.notes.append(Note(kind, message, location))
