"""The levels of `spec/levels.md`: what each one says, and which one a checkpoint has reached."""

from collections.abc import Callable, Iterable, Mapping

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity

NAMES = ("readable", "described", "verifiable", "reconstructable", "deployable")
"""Names of levels 0 to 4."""
UNREADABLE = -1
"""Stands for the level of a file that is not even readable."""
RECONSTRUCTABLE, DEPLOYABLE = 3, 4


def claimed(checkpoint: Checkpoint) -> int:
    """Return the highest level that the parts of `checkpoint` make possible."""
    manifest = _manifest(checkpoint)
    if checkpoint.bundle is None or checkpoint.bundle.manifest_name == "":
        return 0
    if not isinstance(manifest.get("architecture"), Mapping):
        return 2
    return DEPLOYABLE if _runs(manifest) else RECONSTRUCTABLE


def checkable(checkpoint: Checkpoint) -> int:
    """Return the highest level whose rules have something to look at.

    A directory with an architecture can be asked for level 4 whether or not it claims it.
    """
    level = claimed(checkpoint)
    directory = checkpoint.bundle is not None and checkpoint.bundle.encoding == "deploy"
    return DEPLOYABLE if level == RECONSTRUCTABLE and directory else level


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
    if following == len(NAMES):
        return ""
    if following == failed:
        return f"level {following} {NAMES[following]}: the errors above stand in its way"
    if level == claimed(checkpoint) == 0:
        return "level 1 described: a manifest; convert it: ckptkit convert SRC --to deploy -o DST"
    if level < claimed(checkpoint) and level == checked:
        return f"level {following} {NAMES[following]}: not checked here; {_how(following)} checks it"
    if level == RECONSTRUCTABLE:
        return f"level {following} {NAMES[following]}: {_runnable(checkpoint)}"
    question = _question(_manifest(checkpoint))
    return f"level {following} {NAMES[following]}: an architecture graph{question}"


def _how(level: int) -> str:
    return "ckptkit validate --level 4" if level == DEPLOYABLE else "ckptkit validate"


def _runnable(checkpoint: Checkpoint) -> str:
    if checkpoint.bundle is not None and checkpoint.bundle.encoding == "deploy":
        return "model.onnx and recorded outputs; ckptkit export onnx BUNDLE makes them"
    return "model.onnx, which only a deploy bundle has; ckptkit convert SRC --to deploy -o DST makes one"


def _question(manifest: Mapping[str, object]) -> str:
    """Return the first question that recovery left open."""
    recovery = manifest.get("recovery")
    asked = recovery.get("questions") if isinstance(recovery, Mapping) else None
    return f": {asked[0]}" if isinstance(asked, list) and asked else ""


def _manifest(checkpoint: Checkpoint) -> Mapping[str, object]:
    found = checkpoint.bundle.manifest if checkpoint.bundle is not None else None
    return found if found is not None else {}


def _runs(manifest: Mapping[str, object]) -> bool:
    """Whether a manifest states recorded outputs or lists a graph."""
    rows = manifest.get("files")
    found = (row.get("role") for row in rows if isinstance(row, Mapping)) if isinstance(rows, list) else ()
    return manifest.get("conformance") is not None or "graph" in found
