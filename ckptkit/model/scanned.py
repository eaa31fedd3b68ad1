"""What a static look into files finds: their parts, what pickles in them name, and what is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.inert import CodeFact, GlobalUse

if TYPE_CHECKING:
    from ckptkit.model.baseline import Pardoned

GRAVITY = (
    Verdict.DATA_ONLY,
    Verdict.CONTAINS_CODE,
    Verdict.UNSUPPORTED,
    Verdict.MALFORMED,
    Verdict.UNSAFE,
)
"""Verdicts from the lightest to the gravest."""


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the gravest of some verdicts; data-only where there are none."""
    return max(verdicts, key=GRAVITY.index, default=Verdict.DATA_ONLY)


@dataclass(frozen=True, slots=True)
class Part:
    """A container or a pickle of a file.

    Attributes:
        place: Where it lies, such as `policy.pth` or `models.zip:agent.pkl`; empty for the file itself.
        kind: `sb3-zip`, `torch-zip`, `torch-legacy`, `torch-package`, `zip`, `tar`, `gzip`, `xz`, `bzip2`,
            `zstd`, `lz4`, `pickle`, `sb3-data`, `numpy`, `safetensors`, `onnx`, or the name of a container
            that is not opened.
        size: Bytes.
        verdict: What it holds besides data, or why that is not known; without the parts inside it.
        globals: Every global that its pickles name, in the order of the streams.
        code: Executable things that they carry or ask for.
        pickles: The verdict on its pickles alone, as far as they were read.
        carries_code: Whether its format is known to carry such code.
        problem: What keeps it from being read to its end; empty where nothing does.
        code_of_problem: Rule code of that.
        fix: What to do about it; may be empty.
    """

    place: str
    kind: str
    size: int
    verdict: Verdict = Verdict.DATA_ONLY
    globals: tuple[GlobalUse, ...] = ()
    code: tuple[CodeFact, ...] = ()
    pickles: Verdict = Verdict.DATA_ONLY
    carries_code: bool = False
    problem: str = ""
    code_of_problem: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was found in one file.

    Attributes:
        path: As the user named it.
        kind: Of the file itself, as `Part.kind`; empty where it could not be opened.
        verdict: The gravest of all parts.
        parts: The file itself, then what lies inside it, in the order in which it was met.
        findings: What is wrong, or worth a note, by rule.
        incomplete: What could not be read, so that nothing is known of it; empty where all was.
    """

    path: str
    kind: str
    verdict: Verdict
    parts: tuple[Part, ...] = ()
    findings: tuple[Finding, ...] = ()
    incomplete: str = ""

    @property
    def pardoned(self) -> "tuple[Pardoned, ...]":
        """Findings that a baseline accepts: none, since what is said of safety is never put aside."""
        return ()

    @property
    def failed(self) -> bool:
        """Whether it has an error."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Scan:
    """What `scan` returns.

    Attributes:
        results: One for each file that was scanned or could not be, in the order of the paths.
        skipped: Files of searched directories that are neither pickles nor containers of any.
    """

    results: tuple[Scanned, ...]
    skipped: tuple[str, ...] = ()
