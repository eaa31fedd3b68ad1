"""Write a checkpoint in another format."""

import os
from collections.abc import Sequence
from pathlib import Path

from ckptkit import writers
from ckptkit.api.preparing import refuse_unfit, with_architecture
from ckptkit.api.reading import PathLike, read
from ckptkit.errors import LevelError
from ckptkit.model.checkpoint import Note
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
    refuse_unfit(checkpoint)
    checkpoint = with_architecture(checkpoint, Hints(input_shape, tuple(assume)))
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


def _unused_hints(input_shape: tuple[int, ...] | None, assume: Sequence[str]) -> tuple[Note, ...]:
    given = (["--input-shape"] if input_shape else []) + [f"--assume {name}" for name in assume]
    message = "no architecture is built from it in this version; nothing was assumed"
    return tuple(Note("unused-hint", message, hint) for hint in given)
