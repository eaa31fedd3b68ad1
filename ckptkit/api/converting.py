"""Write a checkpoint in another format."""

import os
from collections.abc import Sequence
from pathlib import Path

from ckptkit import writers
from ckptkit.api.adapting import Adapted, adapted
from ckptkit.api.preparing import assumed, refuse_unfit, unused_hints, with_architecture
from ckptkit.api.reading import PathLike, read
from ckptkit.errors import LevelError, UsageError
from ckptkit.model.adaptation import InputChannels
from ckptkit.model.checkpoint import Checkpoint, Note
from ckptkit.model.recovered import Hints
from ckptkit.model.results import Receipt
from ckptkit.storage.atomic import rehearse
from ckptkit.writers.deployable import Reach
from ckptkit.writers.origin import sources
from ckptkit.writers.plan import plan


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
    adapt: InputChannels | None = None,
) -> Receipt:
    """Write a checkpoint in another format; tensors stay bit-identical, the source untouched.

    Args:
        source: Any supported checkpoint.
        to: Id of a writer: `deploy` (a directory), `v2` (a torch dict) or `sb3` (a
            Stable-Baselines3 zip).
        output: Path to write; must not exist unless `force` is set.
        force: Replace an existing bundle or file at `output`.
        dry_run: Do everything but write.
        require_level: Refuse, before anything is written, if the result would be below it.
        input_shape: Shape of one observation, for an architecture that the file cannot tell.
        assume: Names of profiles that may supply what the file cannot tell.
        adapt: A change of the network; the receipt and the lineage of the result say what was changed.

    Raises:
        UnsafeCheckpointError: The source asks for more than reading data.
        CkptkitError: As `read`, and as the writer.
    """
    writer = writers.find(to)
    checkpoint = read(source)
    refuse_unfit(checkpoint)
    hints = Hints(input_shape, tuple(assume))
    before = checkpoint
    if writer.describes:
        checkpoint = with_architecture(checkpoint, hints)
    notes = unused_hints(before, checkpoint, hints)
    change = _adapted(checkpoint, writer, adapt, hints)
    checkpoint = change.checkpoint
    reach = writer.reach(checkpoint)
    require(reach, require_level, os.fspath(source))
    target = Path(output)
    altered = writer.alters(checkpoint, target)
    if dry_run:
        rehearse(target, force=force, sources=sources(checkpoint))
        plan(checkpoint)
    written = None if dry_run else writer.write(checkpoint, target, force)
    return Receipt(
        source=os.fspath(source),
        source_format=checkpoint.format,
        target=os.fspath(output),
        to=to,
        files_read=len(checkpoint.files),
        written=written,
        level=reach.level,
        verdict=checkpoint.verdict,
        dropped=checkpoint.dropped + altered.dropped,
        assumed=(assumed(checkpoint) if writer.describes else ()) + altered.assumed,
        changed=change.changed + altered.changed,
        adapted=change.names,
        notes=checkpoint.notes + altered.notes + _of_level(reach) + notes,
        code=checkpoint.code,
        dry_run=dry_run,
    )


def _adapted(
    checkpoint: Checkpoint, writer: writers.Writer, adapt: InputChannels | None, hints: Hints
) -> Adapted:
    if adapt is None:
        return Adapted(checkpoint)
    if not writer.describes:
        what = f"a network cannot be adapted on the way to {writer.id}"
        raise UsageError(what, fix="adapt it --to deploy first")
    return adapted(checkpoint, adapt, hints)


def require(reach: Reach, level: int, where: str) -> None:
    """Refuse a result below `level`.

    Raises:
        LevelError: It is; the message says what it lacks.
    """
    if level > reach.level:
        why = f": {reach.lacks}" if reach.lacks else ""
        what = f"level {level} is required, and the result would reach {reach.level}{why}"
        raise LevelError(what, where=where, fix=reach.fix)


def _of_level(reach: Reach) -> tuple[Note, ...]:
    """Say what keeps a bundle from its next level, where something can be done about it."""
    hint = f" ({reach.fix})" if reach.fix else ""
    told = reach.level >= 2 and (reach.fix or reach.level == 2)
    return (Note("level", f"{reach.lacks}{hint}"),) if told and reach.lacks else ()
