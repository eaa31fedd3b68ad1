"""Findings that a project has accepted, each with its reason and, mostly, a last day."""

from dataclasses import dataclass

from ckptkit.model.finding import Finding


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that was accepted.

    Attributes:
        fingerprint: Hex; of the rule and the place, not of the figures in the message.
        code: Rule code.
        path: From the folder of the baseline, with forward slashes.
        reason: Why it is accepted.
        location: Inside the file; may be empty.
        message: As it was when it was accepted.
        expires: Last day (`YYYY-MM-DD`) on which it counts; empty for no end.
    """

    fingerprint: str
    code: str
    path: str
    reason: str
    location: str = ""
    message: str = ""
    expires: str = ""


@dataclass(frozen=True, slots=True)
class Pardoned:
    """A finding that a baseline keeps from being reported, and the entry that does."""

    finding: Finding
    entry: Accepted


@dataclass(frozen=True, slots=True)
class Baselined:
    """What writing a baseline did.

    Attributes:
        path: Of the baseline.
        kept: Entries that were there and still occur.
        added: New ones.
        removed: Entries that occur no more.
    """

    path: str
    kept: int
    added: int
    removed: int
