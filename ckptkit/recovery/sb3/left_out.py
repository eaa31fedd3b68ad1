"""What the reader could not keep of the file's own words: an object, code, a class by value."""

from collections.abc import Iterator, Mapping

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import carried

POLICY_CLASS = "data:policy_class"
KEYWORDS = "data:policy_kwargs"


def left_out(checkpoint: Checkpoint, path: str, *, below: bool = True) -> Iterator[str]:
    """Yield what was left out at a place, as half a sentence.

    Args:
        checkpoint: What was read; a v2 source says what its own source had lost.
        path: Such as `data:policy_kwargs.activation_fn`.
        below: Whether what lies inside that place counts too.
    """
    found = [(one.path, one.reason) for one in checkpoint.dropped]
    lineage = carried(checkpoint).get("lineage")
    before = lineage.get("dropped") if isinstance(lineage, Mapping) else None
    entries = before if isinstance(before, list) else []
    found += [(str(one.get("path")), str(one.get("reason"))) for one in entries if isinstance(one, Mapping)]
    for place, reason in found:
        if place == path or (below and place.startswith(f"{path}.")):
            yield f"{place} is {reason}"
