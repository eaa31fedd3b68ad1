"""The manifest of a bundle as JSON, whose bound grows with the tensors that the bundle holds."""

from collections.abc import Iterable
from contextlib import suppress

from ckptkit.errors import CkptkitError
from ckptkit.model import ijson
from ckptkit.model.manifest import most_parts
from ckptkit.model.source import Source
from ckptkit.storage.safetensors_file import open_safetensors


def examine_manifest(data: bytes, files: Iterable[Source]) -> ijson.Examined:
    """Parse a manifest and find all that is wrong with it; raises nothing.

    Args:
        data: The bytes of `ckpt.json`.
        files: Safetensors files beside it; they are only read for a manifest that is long.
    """
    examined = ijson.examine(data)
    if not examined.over_limit:
        return examined
    held = sum(map(_tensors, files))
    return ijson.examine(data, max_parts=most_parts(held))


def _tensors(source: Source) -> int:
    """Return how many tensors a file holds; none where it is broken."""
    with suppress(CkptkitError):
        return len(open_safetensors(source).entries)
    return 0
