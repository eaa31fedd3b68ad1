"""Write a checkpoint in another format."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ckptkit import checks, recovery, writers
from ckptkit.api.reading import PathLike, read
from ckptkit.errors import LevelError, ManifestError, UnsafeCheckpointError
from ckptkit.model.checkpoint import Checkpoint, Note
from ckptkit.model.finding import Severity, Verdict
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints
from ckptkit.model.results import Receipt


def convert(  # noqa: PLR0913 - one parameter an option of the command
    source: PathLike,
    to: str,
    output: PathLike,
    *,
    force: bool = False,
    dry_run: bool = False,
    require_level: int = 0,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
) -> Receipt:
    """Write a checkpoint in another format; tensors stay bit-identical, the source untouched.

    Args:
        source: Any supported checkpoint.
        to: Id of a writer: `deploy` (a directory) or `v2` (a torch dict).
        output: Path to write; must not exist unless `force` is set.
        force: Replace an existing bundle or file at `output`.
        dry_run: Do everything but write.
        require_level: Refuse, before anything is written, if the result would be below it.
        input_shape: Shape of one observation, for an architecture that the file cannot tell.
        assume: Names of profiles that may supply what the file cannot tell.

    Raises:
        UnsafeCheckpointError: The source asks for more than reading data.
        CkptkitError: As `read`, and as the writer.
    """
    writer = writers.find(to)
    checkpoint = read(source)
    _refuse_unfit(checkpoint)
    checkpoint = _with_architecture(checkpoint, Hints(input_shape, tuple(assume)))
    level = 2
    if require_level > level:
        raise LevelError(
            f"level {require_level} is required, and the result would reach {level}: no architecture graph",
            where=os.fspath(source),
        )
    target = Path(output)
    written = None if dry_run else writer.write(checkpoint, target, force)
    return Receipt(
        source=os.fspath(source),
        source_format=checkpoint.format,
        target=os.fspath(output),
        to=to,
        files_read=len(checkpoint.files),
        written=written,
        level=level,
        verdict=checkpoint.verdict,
        dropped=checkpoint.dropped,
        notes=checkpoint.notes + _unused_hints(input_shape, assume),
        code=checkpoint.code,
        dry_run=dry_run,
    )


def _with_architecture(checkpoint: Checkpoint, hints: Hints) -> Checkpoint:
    """Return `checkpoint` with its architecture, as far as it can be known.

    What a v2 encoding says of its architecture stands, unless the user vouches for more.
    """
    if checkpoint.bundle is not None and (hints == Hints() or carried(checkpoint).get("architecture")):
        return checkpoint
    found = recovery.recover(checkpoint, hints)
    return replace(checkpoint, architecture=found.architecture(), recovery=found.report())


def _unused_hints(input_shape: tuple[int, ...] | None, assume: Sequence[str]) -> tuple[Note, ...]:
    given = (["--input-shape"] if input_shape else []) + [f"--assume {name}" for name in assume]
    message = "no architecture is built from it in this version; nothing was assumed"
    return tuple(Note("unused-hint", message, hint) for hint in given)


def _refuse_unfit(checkpoint: Checkpoint) -> None:
    """Raise if `checkpoint` must not become a bundle."""
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
