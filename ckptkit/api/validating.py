"""Check checkpoints against the specification."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ckptkit import checks
from ckptkit.api.baselining import apply_baseline
from ckptkit.api.placing import with_lines
from ckptkit.api.reading import PathLike, find, level_of, read
from ckptkit.api.selecting import Selection
from ckptkit.errors import CkptkitError, InaccessibleError, NotACheckpointError, PointerError
from ckptkit.model import levels
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.extras import install_command, missing
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.results import Report, Validation
from ckptkit.model.settings import Settings

VERIFIABLE = 2
"""The level whose checks read every byte."""
NOT_CHECKED = (InaccessibleError, NotACheckpointError, PointerError)
"""Errors that leave a check incomplete; every other one is a finding."""
RUNTIME = "onnx"
"""The extra that level 4 needs."""


def validate(
    paths: PathLike | Sequence[PathLike],
    *,
    level: int | None = None,
    strict: bool = False,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    settings: Settings | None = None,
) -> Report:
    """Check checkpoints against the specification; every violation is reported at once.

    Args:
        paths: Files, bundles, or directories to search.
        level: Level that each must reach; None checks all that each one claims, up to level 3. Level 4
            runs the network and needs the extra `onnx`; where it is missing the result is incomplete.
        strict: Refuse unknown manifest fields other than `x-*`.
        select: Rule codes or prefixes to report; empty for all.
        ignore: Rule codes or prefixes not to report.
        settings: Where rules are not reported, and which findings are accepted; its other fields are
            defaults that the arguments above override, or that are for the caller.

    Returns:
        One result a checkpoint. A path that holds none has a result that is incomplete.
    """
    known = settings or Settings()
    chosen = Selection(tuple(select or known.select), tuple(ignore or known.ignore), known)
    results: list[Validation] = []
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        found = _validate_path(path, known.level if level is None else level, strict=strict or known.strict)
        results += map(chosen.of, found)
    report = Report(tuple(results))
    return apply_baseline(report, known.baseline) if known.baseline else report


def _validate_path(path: PathLike, level: int | None, *, strict: bool) -> Iterator[Validation]:
    empty = True
    try:
        for found in find(path):
            empty = False
            yield _validate_one(found, level, strict=strict)
    except CkptkitError as error:
        empty = False
        yield _unread(os.fspath(path), error)
    if empty:
        nothing = NotACheckpointError("no checkpoint in this directory", where=os.fspath(path))
        yield _unread(os.fspath(path), nothing)


def _validate_one(path: Path, level: int | None, *, strict: bool) -> Validation:
    name = str(path)
    try:
        checkpoint = read(path)
    except CkptkitError as error:
        return _unread(name, error)
    checked = _level_to_check(checkpoint, level)
    lacking = missing(RUNTIME, "onnx", "onnxruntime") if checked == levels.DEPLOYABLE else ""
    if lacking:
        checked = levels.RECONSTRUCTABLE
    # Beyond what it claims, too: a legacy file's own checksums are compared like a bundle's digests.
    wanted = VERIFIABLE if level is None else min(level, VERIFIABLE)
    applied = max(checked, wanted)
    findings = list(with_lines(checks.run(checkpoint, applied, strict=strict)))
    achieved, lacks = levels.reached(checkpoint, findings, checked, level_of)
    if level is not None and achieved < level and not lacking and not _explains(findings, level):
        message = f"level {level} {levels.NAMES[level]} is asked for; it reaches {achieved}"
        findings.append(Finding("CK108", Severity.ERROR, message, name, fix=lacks))
    absent = any(finding.code == PointerError.code for finding in findings)
    incomplete = "content not present" if absent else _cannot_run(lacking)
    return Validation(name, achieved, checkpoint.verdict, tuple(findings), incomplete, lacks, applied)


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


def _unread(path: str, error: CkptkitError) -> Validation:
    """Return the result for a path that could not be read: a finding, or an incomplete check."""
    verdicts = {"CK102": Verdict.UNSAFE, "CK101": Verdict.MALFORMED, "CK106": Verdict.MALFORMED}
    verdict = verdicts.get(error.code, Verdict.UNSUPPORTED)
    inside = error.where.removeprefix(path).lstrip(":/")
    message = f"{inside}: {error.what}" if inside else error.what
    finding = Finding(error.code, Severity.ERROR, message, path, fix=error.fix)
    incomplete = error.what if isinstance(error, NOT_CHECKED) else ""
    return Validation(path, levels.UNREADABLE, verdict, (finding,), incomplete)
