"""Write one self-contained file, or say what it would be."""

import hashlib
from pathlib import Path

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.storage.atomic import new_file
from ckptkit.writers.origin import refuse_changed, sources


def write_file(
    checkpoint: Checkpoint, target: Path, data: bytes, *, force: bool, dry_run: bool
) -> tuple[tuple[str, int, str], ...]:
    """Write `data` to `target`; the file appears whole or not at all.

    Args:
        checkpoint: What it is made from; none of its files is written over.
        target: Path to write.
        data: All bytes.
        force: Whether an existing file may be replaced.
        dry_run: Write nothing.

    Returns:
        Name, size and hex sha256 of the file; nothing for a dry run.
    """
    if dry_run:
        return ()
    with new_file(target, force=force, sources=sources(checkpoint)) as output:
        output.write(data)
        refuse_changed(checkpoint)
    return ((target.name, len(data), hashlib.sha256(data).hexdigest()),)
