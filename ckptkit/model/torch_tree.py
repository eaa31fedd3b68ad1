"""Trees as a v2 torch dict holds them: plain Python where `weights_only` can read it back.

None, bool, int, float, str, list, tuple, dict and tensors stand as they are. The rest keeps the
tagged form of `model.tree`; a dict with a key that is tagged, or that looks like a tag, becomes
`{"$dict": [[key, value], …]}` (`spec/torch-dict.md`). `model.dict_v2.decode` is the way back.
"""

from collections.abc import Callable, Mapping

from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import to_json

_MAX_INT_BITS = 255 * 8 - 1
"""What the pickle opcode LONG1 holds beside the sign."""


def to_torch(value: object, tensor: Callable[[Tensor], object] = lambda tensor: tensor) -> object:
    """Return a tree in the form that is pickled.

    Args:
        value: A tree.
        tensor: Gives what stands for a tensor.

    Raises:
        TypeError: It holds something that `model.tree` does not define.
    """
    match value:
        case Tensor():
            return tensor(value)
        case int() if value.bit_length() > _MAX_INT_BITS:
            return to_json(value)
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [to_torch(item, tensor) for item in value]
        case tuple():
            return tuple(to_torch(item, tensor) for item in value)
        case Mapping():
            pairs = [(to_torch(key), to_torch(item, tensor)) for key, item in value.items()]
            if any(_is_tagged(key) for key, _ in pairs):
                return {"$dict": [[key, item] for key, item in pairs]}
            return dict(pairs)
        case _:
            return to_json(value)


def _is_tagged(key: object) -> bool:
    """Whether a key in its pickled form cannot be a key, or would be taken for a tag."""
    if isinstance(key, tuple):
        return any(_is_tagged(part) for part in key)
    return isinstance(key, dict | list | Tensor) or (isinstance(key, str) and key.startswith("$"))
