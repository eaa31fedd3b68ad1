"""Trees as a v2 torch dict holds them: plain Python where `weights_only` can read it back.

None, bool, int, float, str, list, tuple, dict and tensors stand as they are. The rest keeps the
tagged form of `model.tree`; a dict with a key that is tagged, or that looks like a tag, becomes
`{"$dict": [[key, value], …]}` (`spec/torch-dict.md`).
"""

from collections.abc import Callable, Mapping

from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import from_json, to_json

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


def from_torch(value: object) -> object:
    """Return the tree that `to_torch` gave.

    Raises:
        ValueError: A tag is unknown or its content is not of its form.
    """
    match value:
        case list():
            return [from_torch(item) for item in value]
        case tuple():
            return tuple(from_torch(item) for item in value)
        case dict():
            return _from_dict(value)
        case _:
            return value


def _from_dict(value: dict[object, object]) -> object:
    if not any(isinstance(key, str) and key.startswith("$") for key in value):
        return {key: from_torch(item) for key, item in value.items()}
    content = value.get("$dict")
    if len(value) != 1 or content is None:
        return from_json(value)
    if not isinstance(content, list) or not all(isinstance(p, list) and len(p) == 2 for p in content):
        raise ValueError("$dict: a list of [key, value] is expected")
    try:
        return {from_torch(key): from_torch(item) for key, item in content}
    except TypeError as error:
        raise ValueError(f"$dict: {error}") from error
