"""Check one checkpoint: read it, apply the rules of its level, and say how far it gets."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ckptkit import checks
from ckptkit.api.placing import with_lines
from ckptkit.api.reading import is_checkpoint, level_of, read
from ckptkit.checks.contents import left_out
from ckptkit.errors import CkptkitError, InaccessibleError, NotACheckpointError, PointerError
from ckptkit.model import levels
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.extras import install_command, missing
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.results import Validation
from ckptkit.model.settings import How, Lfs
from ckptkit.model.verify import Verify
from ckptkit.storage.surroundings import look

DESCRIBED = 1
"""The highest level that is known without reading every byte."""
VERIFIABLE = 2
"""The level whose checks read every byte."""
NOT_CHECKED = (InaccessibleError, NotACheckpointError, PointerError)
"""Errors that leave a check incomplete; every other one is a finding."""
RUNTIME = "onnx"
"""The extra that level 4 needs."""


def check(path: Path, how: How) -> Validation:
    """Check the checkpoint at `path`; whatever is wrong with it is in the result.

    Args:
        path: A file or directory that is one checkpoint.
        how: What to look at, and what to make of it.
    """
    return _with_pointers(_check(path, how), how.lfs)


def check_path(path: Path, how: How) -> Validation | None:
    """Return the result of a path; None where it is no checkpoint."""
    return check(path, how) if is_checkpoint(path) else None


def _with_pointers(result: Validation, lfs: Lfs) -> Validation:
    """Take pointers for missing content, for an error, or for nothing to speak of."""
    pointers = [finding for finding in result.findings if finding.code == PointerError.code]
    if lfs is Lfs.POINTER or not pointers:
        return result
    severity = Severity.INFO if lfs is Lfs.SKIP else Severity.ERROR
    findings = tuple(
        replace(finding, severity=severity) if finding in pointers else finding for finding in result.findings
    )
    return replace(result, findings=findings, incomplete="")


def _check(path: Path, how: How) -> Validation:
    name, level = str(path), how.level
    try:
        checkpoint = read(path)
    except CkptkitError as error:
        return unread(name, error)
    checked = _level_to_check(checkpoint, level)
    lacking = missing(RUNTIME, "onnx", "onnxruntime") if checked == levels.DEPLOYABLE else ""
    if lacking:
        checked = levels.RECONSTRUCTABLE
    # Beyond what it claims, too: a legacy file's own checksums are compared like a bundle's digests.
    wanted = VERIFIABLE if level is None else min(level, VERIFIABLE)
    applied = max(checked, wanted)
    checkpoint = replace(checkpoint, surroundings=look(checkpoint, how.max_bytes))
    values = how.weights or checked == levels.DEPLOYABLE
    found = checks.run(checkpoint, applied, strict=how.strict, values=values, verify=how.verify)
    findings = list(with_lines(found))
    if how.verify is Verify.HEADER:
        checked = applied = min(checked, DESCRIBED)
    achieved, lacks = levels.reached(checkpoint, findings, checked, level_of)
    if level is not None and achieved < level and not lacking and not _explains(findings, level):
        message = f"level {level} {levels.NAMES[level]} is asked for; it reaches {achieved}"
        findings.append(Finding("CK108", Severity.ERROR, message, name, fix=lacks))
    left = left_out(checkpoint, how.verify) if wanted == VERIFIABLE else {}
    absent = any(finding.code == PointerError.code for finding in findings)
    incomplete = "content not present" if absent else _cannot_run(lacking)
    return Validation(
        name,
        achieved,
        checkpoint.verdict,
        tuple(findings),
        incomplete,
        lacks,
        applied,
        not_compared=" and ".join(left.values()),
        unapplied={code: f"not compared: {what}" for code, what in left.items()}
        | checks.unasked(values=values),
    )


def _level_to_check(checkpoint: Checkpoint, level: int | None) -> int:
    """Return the level to check up to; the highest is checked only where it is asked for."""
    if level is None:
        return min(levels.claimed(checkpoint), levels.RECONSTRUCTABLE)
    return min(level, levels.checkable(checkpoint))


def _cannot_run(package: str) -> str:
    """Say what level 4 needs; empty where it has it."""
    if not package:
        return ""
    return f"level 4 needs {package}, which is not installed: {install_command(RUNTIME)}"


def _explains(findings: Iterable[Finding], level: int) -> bool:
    """Whether an error already says why `level` is not reached."""
    return any(f.severity is Severity.ERROR and level_of(f.code) <= level for f in findings)


def unread(path: str, error: CkptkitError) -> Validation:
    """Return the result for a path that could not be read: a finding, or an incomplete check."""
    verdicts = {"CK102": Verdict.UNSAFE, "CK101": Verdict.MALFORMED, "CK106": Verdict.MALFORMED}
    verdict = verdicts.get(error.code, Verdict.UNSUPPORTED)
    inside = error.where.removeprefix(path).lstrip(":/ ")
    message = f"{inside}: {error.what}" if inside else error.what
    finding = Finding(error.code, Severity.ERROR, message, path, fix=error.fix)
    incomplete = error.what if isinstance(error, NOT_CHECKED) else ""
    return Validation(path, levels.UNREADABLE, verdict, (finding,), incomplete)
