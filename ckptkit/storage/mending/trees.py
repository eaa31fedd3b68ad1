"""Plain trees with other texts, and trees compared to the last byte of their tensors."""

from collections.abc import Callable, Iterator

from ckptkit.errors import IntegrityError, UnreadableCheckpointError
from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.model.tensor import Tensor
from ckptkit.storage.mending.archives import compare_bytes

_ATOMS = (type(None), bool, int, float, complex, bytes, ClassRef, NdArray, Tensor)
Change = Callable[[str], str]


def texts(tree: object) -> Iterator[str]:
    """Yield every text of a tree, keys among them; what is no plain container is not looked into."""
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value


def renamed(tree: object, change: Change) -> object:
    """Return a tree with its texts changed; the pickle machine has bounded its depth.

    Raises:
        UnreadableCheckpointError: Two keys become one, or it holds an object, whose texts may mean anything.
    """
    match tree:
        case str():
            return change(tree)
        case dict():
            made = {renamed(key, change): renamed(value, change) for key, value in tree.items()}
            if len(made) != len(tree):
                raise UnreadableCheckpointError("two tensors would have one name")
            return made
        case list() | tuple():
            items = [renamed(item, change) for item in tree]
            return items if isinstance(tree, list) else tuple(items)
        case set() | frozenset():
            return {renamed(item, change) for item in tree}
    if isinstance(tree, _ATOMS):
        return tree
    raise UnreadableCheckpointError("it holds objects besides tensors, in which they may mean something else")


def equal(one: object, other: object) -> bool:
    """Whether two trees are the same: order of entries, types, and every byte of every tensor."""
    if isinstance(one, dict) and isinstance(other, dict):
        return equal([*one.items()], [*other.items()])
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return _same_tensor(one, other)
    if isinstance(one, NdArray) and isinstance(other, NdArray):
        return (one.dtype, one.shape, one.data) == (other.dtype, other.shape, other.data)
    return repr(one) == repr(other) if isinstance(one, float | complex) else one == other


def _same_tensor(one: Tensor, other: Tensor) -> bool:
    if (one.dtype, one.shape, one.strides, one.offset) != (
        other.dtype,
        other.shape,
        other.strides,
        other.offset,
    ):
        return False
    if one.storage.source.size != other.storage.source.size:
        return False
    try:
        compare_bytes(one.storage.source, other.storage.source)
    except IntegrityError:
        return False
    return True
