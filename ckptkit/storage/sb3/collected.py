"""What the parts of a checkpoint say together."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ckptkit.model.finding import Verdict
from ckptkit.model.inert import CodeFact, GlobalUse

if TYPE_CHECKING:
    from ckptkit.model.checkpoint import Dropped, Note, SourceFile

_WEIGHT = {Verdict.DATA_ONLY: 0, Verdict.CONTAINS_CODE: 1, Verdict.UNSAFE: 2}


class Part(Protocol):
    """A pickle, or a file of several, that was read."""

    @property
    def verdict(self) -> Verdict:
        """What it holds besides data."""

    @property
    def globals(self) -> tuple[GlobalUse, ...]:
        """Every global that it names."""

    @property
    def code(self) -> tuple[CodeFact, ...]:
        """Executable things in it."""


@dataclass(slots=True)
class Collected:
    """Facts that grow while the parts of one checkpoint are read.

    Attributes:
        verdict: The gravest verdict of any part.
    """

    verdict: Verdict = Verdict.DATA_ONLY
    code: list[CodeFact] = field(default_factory=list)
    globals: list[GlobalUse] = field(default_factory=list)
    dropped: "list[Dropped]" = field(default_factory=list)
    notes: "list[Note]" = field(default_factory=list)
    files: "list[SourceFile]" = field(default_factory=list)

    def take(self, part: Part) -> None:
        """Add what `part` holds."""
        if _WEIGHT.get(part.verdict, 2) > _WEIGHT[self.verdict]:
            self.verdict = part.verdict
        self.code.extend(part.code)
        self.globals.extend(part.globals)

    def absorb(self, other: "Collected") -> None:
        """Add what another collection holds."""
        if _WEIGHT[other.verdict] > _WEIGHT[self.verdict]:
            self.verdict = other.verdict
        self.code += other.code
        self.globals += other.globals
        self.dropped += other.dropped
        self.notes += other.notes
        self.files += other.files

    def note(self, kind: str, message: str, location: str = "") -> None:
        """Add a fact for the checks to judge."""
        from ckptkit.model.checkpoint import Note

        self.notes.append(Note(kind, message, location))

    def drop(self, path: str, reason: str) -> None:
        """Record an entry that the bundle will not carry."""
        from ckptkit.model.checkpoint import Dropped

        self.dropped.append(Dropped(path, reason))

    def drop_all(self, dropped: "Iterable[Dropped]") -> None:
        """Record several entries that the bundle will not carry."""
        self.dropped.extend(dropped)
