"""Where in a state dict the network stands: everything before its own names is a prefix.

MettaAgent's files wrap it in `components.`, `policy.components.`, `module.policy.components.` and more,
by release, by distributed training and by what was pickled.
"""

from collections.abc import Mapping

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.canonical import Canonical, canonical
from ckptkit.recovery.relations import UnlikeError


def placed(tensors: Mapping[str, Tensor], anchors: tuple[str, ...]) -> Canonical:
    """Return the state dict under names without what stands before the one anchor that it has.

    Args:
        tensors: State dict.
        anchors: Names, of which a network of the kind has one.

    Raises:
        UnlikeError: There is none of them, or more than one place has.
    """
    outer = canonical(tensors)
    found = {name[: len(name) - len(anchor)] for anchor in anchors for name in _ending(outer, anchor)}
    if not found:
        raise UnlikeError("", f"there is no {' and no '.join(anchors)}", missing=anchors[0])
    if len(found) > 1:
        first = min(name for anchor in anchors for name in _ending(outer, anchor))
        raise UnlikeError(outer.source[first], f"{len(found)} places have {' or '.join(anchors)}")
    inner = found.pop()
    short = {name: name[len(inner) :] if name.startswith(inner) else f"..{name}" for name in outer.tensors}
    if len(set(short.values())) < len(short):
        raise UnlikeError("", f"names within {inner} and beside it are the same")
    return Canonical(
        {short[name]: tensor for name, tensor in outer.tensors.items()},
        {short[name]: own for name, own in outer.source.items()},
        f"{outer.prefix}{inner}",
    )


def _ending(names: Canonical, anchor: str) -> list[str]:
    return [name for name in names.tensors if name == anchor or name.endswith(f".{anchor}")]
