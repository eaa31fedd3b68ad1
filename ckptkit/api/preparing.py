"""What every use of a checkpoint starts with: is it fit, and which network is it?"""

from dataclasses import replace

from ckptkit import checks, recovery
from ckptkit.errors import ManifestError, UnsafeCheckpointError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Severity, Verdict
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints


def refuse_unfit(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint that nothing must be made from.

    Raises:
        UnsafeCheckpointError: Its pickles ask for more than reading data.
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
    errors = [f for f in checks.run(checkpoint, 1) if f.severity is Severity.ERROR]
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
