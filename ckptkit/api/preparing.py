"""What every use of a checkpoint starts with: is it fit, and which network is it?"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from ckptkit import checks, recovery
from ckptkit.errors import ManifestError, UnfinishedError, UnsafeCheckpointError
from ckptkit.model.checkpoint import Checkpoint, Note
from ckptkit.model.finding import Severity, Verdict
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints


def refuse_unfit(checkpoint: Checkpoint, mended: Collection[str] = ()) -> None:
    """Refuse a checkpoint that nothing must be made from.

    Args:
        checkpoint: What was read.
        mended: Names of files that are about to be written anew, so that it does not matter what
            is wrong with them.

    Raises:
        UnsafeCheckpointError: Its pickles ask for more than reading data.
        UnfinishedError: Only some of its files have been replaced.
        ManifestError: It is a v2 encoding whose manifest breaks the specification.
    """
    if checkpoint.verdict is Verdict.UNSAFE:
        named = [f"{use.module}.{use.name}" for use in checkpoint.globals if not use.allowed]
        raise UnsafeCheckpointError(
            f"its pickle names what no checkpoint needs: {', '.join(dict.fromkeys(named))}",
            where=checkpoint.path,
            fix="do not load it; nothing of it was executed or converted",
        )
    if checkpoint.verdict is Verdict.CONTAINS_CODE and not checkpoint.carries_code:
        raise UnsafeCheckpointError(
            f"a {checkpoint.format} file carries code, which that format never needs",
            where=checkpoint.path,
            fix="see `ckptkit inspect`; nothing of it was executed or converted",
        )
    for note in checkpoint.notes:
        if note.kind == "unfinished":
            fix = "wait, or give the command again that was writing there (ckptkit explain CK116)"
            raise UnfinishedError(note.message, where=checkpoint.path, fix=fix)
    found = (finding for finding in checks.run(checkpoint, 1) if finding.severity is Severity.ERROR)
    errors = [finding for finding in found if Path(finding.path).name not in mended]
    if errors and checkpoint.bundle is not None:
        more = f" (and {len(errors) - 1} more; ckptkit validate lists them)" if len(errors) > 1 else ""
        raise ManifestError(f"{errors[0].code} {errors[0].message}{more}", where=checkpoint.path)


def with_architecture(checkpoint: Checkpoint, hints: Hints) -> Checkpoint:
    """Return `checkpoint` with its architecture, as far as it can be known.

    What a v2 encoding says of its architecture stands, unless the user vouches for more.
    """
    if checkpoint.bundle is not None and (hints == Hints() or carried(checkpoint).get("architecture")):
        return checkpoint
    found = recovery.recover(checkpoint, hints)
    return replace(checkpoint, architecture=found.architecture(), recovery=found.report())


def assumed(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the fields that a profile supplied, one line each."""
    found = checkpoint.recovery or carried(checkpoint).get("recovery")
    lines = found.get("assumed") if isinstance(found, Mapping) else ()
    return tuple(str(line) for line in lines) if isinstance(lines, list) else ()


def unused_hints(before: Checkpoint, after: Checkpoint, hints: Hints) -> tuple[Note, ...]:
    """Return a note for each hint without which the architecture would be the same.

    Args:
        before: The checkpoint as it was read.
        after: As `with_architecture` returned it.
        hints: What the user vouched for.
    """
    message = "made no difference to the architecture; nothing was assumed from it"
    without = {f"--assume {name}": _without(hints, name) for name in hints.assume}
    if hints.input_shape is not None:
        shape = ",".join(map(str, hints.input_shape))
        without |= {f"--input-shape {shape}": replace(hints, input_shape=None)}
    return tuple(
        Note("unused-hint", message, flag)
        for flag, rest in without.items()
        if with_architecture(before, rest).recovery == after.recovery
    )


def _without(hints: Hints, name: str) -> Hints:
    return replace(hints, assume=tuple(other for other in hints.assume if other != name))
