"""What checks say: findings, their severity, and the verdict on a file."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs; only errors keep a bundle from its level."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Verdict(StrEnum):
    """What a file holds besides data.

    `CONTAINS_CODE` covers a code object or class by value, and an instance of a class that
    only outside code can give; all of it is reported and none of it is run.
    """

    DATA_ONLY = "data-only"
    CONTAINS_CODE = "contains-code"
    UNSAFE = "unsafe"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of one rule at one place.

    Attributes:
        code: Rule code (`CK301`).
        severity: The rule's severity.
        message: What is wrong, with expected and found values.
        path: File in which it was found, as the user would name it.
        location: Inside that file: a tensor name, a JSON pointer, a zip member; may be empty.
        fix: What to do, empty where nothing is known.
        line: Line of the file, from 1; 0 where the file has no lines or nobody looked.
    """

    code: str
    severity: Severity
    message: str
    path: str = ""
    location: str = ""
    fix: str = ""
    line: int = 0
