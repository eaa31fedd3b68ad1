"""The levels of `spec/levels.md`: what each one says, and which one a checkpoint has reached."""

from collections.abc import Callable, Iterable

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity

NAMES = ("readable", "described", "verifiable", "reconstructable", "deployable")
"""Names of levels 0 to 4."""
UNREADABLE = -1
"""Stands for the level of a file that is not even readable."""


def claimed(checkpoint: Checkpoint) -> int:
    """Return the highest level that the parts of `checkpoint` make possible."""
    bundle = checkpoint.bundle
    if bundle is None or bundle.manifest_name == "":
        return 0
    return 2


def reached(
    checkpoint: Checkpoint, findings: Iterable[Finding], checked: int, level_of: Callable[[str], int]
) -> tuple[int, str]:
    """Return the level reached and, in one line, what the next one lacks.

    Args:
        checkpoint: What was read.
        findings: All that the checks up to level `checked` said.
        checked: Highest level whose checks were run; nothing above it is called reached.
        level_of: The level of a rule, by its code.
    """
    failed = min((level_of(f.code) for f in findings if f.severity is Severity.ERROR), default=len(NAMES))
    level = min(failed - 1, checked, claimed(checkpoint))
    return level, _next(checkpoint, level, failed, checked)


def _next(checkpoint: Checkpoint, level: int, failed: int, checked: int) -> str:
    following = level + 1
    if following == failed:
        return f"level {following} {NAMES[following]}: the errors above stand in its way"
    if level == claimed(checkpoint) == 0:
        return "level 1 described: a manifest; convert it: ckptkit convert SRC --to deploy -o DST"
    if level < claimed(checkpoint) and level == checked:
        return f"level {following} {NAMES[following]}: not checked here; ckptkit validate checks it"
    return f"level {following} {NAMES[following]}: an architecture graph"
