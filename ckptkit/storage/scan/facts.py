"""What is known of one part while it is being looked into."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from ckptkit.errors import CkptkitError, LimitExceededError, UnreadableCheckpointError, UnsafeCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import GlobalUse
from ckptkit.model.scanned import Part, gravest
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.scan.streams import Streams

_DILL = "dill"
"""Package whose pickles are made to carry code."""


@dataclass(slots=True)
class Facts:
    """What pickles of one part name, and what keeps the part from being read.

    Attributes:
        found: Verdict, globals and code.
        problem: None where all was read.
        carries: Whether the format is known to carry such code.
    """

    found: Collected = field(default_factory=Collected)
    problem: CkptkitError | None = None
    carries: bool = False

    @classmethod
    def of(cls, *several: Streams) -> Self:
        """Return the facts of bare pickles: objects are usual in them, code only where dill wrote them."""
        made = cls()
        for streams in several:
            made.problem = made.problem or streams.problem
            for pickle in streams.pickles:
                made.found.take(pickle)
        from ckptkit.storage.torch_contents import only_objects

        made.carries = _by_dill(made.found.globals) or only_objects(tuple(made.found.code))
        return made


def _by_dill(uses: Iterable[GlobalUse]) -> bool:
    return any(use.module.partition(".")[0] == _DILL for use in uses)


def part_of(place: str, kind: str, size: int, facts: Facts, *, name: str, expected: bool = False) -> Part:
    """Return a part with its verdict.

    Args:
        place: Where it lies in the file; empty for the file itself.
        kind: What it is.
        size: Bytes.
        facts: What is known of it.
        name: What errors call it.
        expected: Whether code is at home in the container around it.
    """
    problem = facts.problem
    verdicts = [facts.found.verdict]
    if problem is not None:
        verdicts.append(_verdict(problem))
    return Part(
        place,
        kind,
        size,
        gravest(verdicts),
        tuple(facts.found.globals),
        tuple(facts.found.code),
        facts.found.verdict,
        expected or facts.carries,
        _message(problem, (name, place)) if problem is not None else "",
        problem.code if problem is not None else "",
        problem.fix if problem is not None else "",
    )


def _verdict(problem: CkptkitError) -> Verdict:
    if isinstance(problem, UnsafeCheckpointError):
        return Verdict.UNSAFE
    broken = isinstance(problem, UnreadableCheckpointError | LimitExceededError)
    return Verdict.MALFORMED if broken else Verdict.UNSUPPORTED


def _message(problem: CkptkitError, names: tuple[str, str]) -> str:
    """Return what is wrong, led by its place inside the part that has these names."""
    inside = problem.where
    for name in names:
        inside = inside.removeprefix(name).lstrip(": ")
    return f"{inside}: {problem.what}" if inside else problem.what
