"""Plain Python trees as JSON and back, without loss.

A tree holds None, bool, int, float, complex, str, bytes, list, tuple, dict, set, `ClassRef`,
`NdArray` and, where the caller allows it, `Tensor`. JSON has fewer kinds, so the others become an
object with exactly one key that starts with `$` (`spec/manifest.md`, "Trees"):

`{"$float": "-inf"}` · `{"$complex": [re, im]}` · `{"$bytes": base64}` · `{"$tuple": […]}` ·
`{"$set": […]}` · `{"$dict": [[key, value], …]}` (a key that is no string, or starts with `$`) ·
`{"$class": "module:name"}` · `{"$ndarray": {dtype, shape, data}}` · `{"$tensor": name}` ·
`{"$int": "digits"}` (outside ±2^53).
"""

import base64
import math
from collections.abc import Callable, Mapping

from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.model.tensor import Tensor

SAFE_INTEGER = 2**53 - 1
"""Largest magnitude that I-JSON (RFC 7493) lets a number have exactly."""

TRAINING_PREFIX = "training_state"
"""First part of the names of training tensors; it keeps them apart from the model's own."""

_AS_THEY_ARE = (str, bool, type(None))
"""Types of most values, which JSON has too; asked for first."""

NameTensor = Callable[[Tensor, str], str]
"""Takes a tensor and its path in the tree; returns the name it is stored under."""


def no_tensors(tensor: Tensor, path: str) -> str:
    """Refuse a tensor where the tree may hold none."""
    raise TypeError(f"tensor of shape {tensor.shape} at {path or 'the root'}")


def to_json(value: object, name: NameTensor = no_tensors, path: str = "") -> object:
    """Return `value` as JSON data.

    Args:
        value: A tree.
        name: Called for each tensor, in the order of the tree.
        path: Path of `value`, dotted.

    Raises:
        TypeError: The tree holds something that this module does not define.
    """
    if isinstance(value, _AS_THEY_ARE):
        return value
    match value:
        case int():
            return value if abs(value) <= SAFE_INTEGER else {"$int": str(value)}
        case float():
            return value if math.isfinite(value) else {"$float": repr(value)}
        case Tensor():
            return {"$tensor": name(value, path)}
        case list():
            return [to_json(item, name, _join(path, i)) for i, item in enumerate(value)]
        case tuple():
            return {"$tuple": [to_json(item, name, _join(path, i)) for i, item in enumerate(value)]}
        case Mapping():
            return _mapping(value, name, path)
        case _:
            return _leaf(value, name, path)


def _join(path: str, part: object) -> str:
    return f"{path}.{part}" if path else str(part)


def _mapping(value: Mapping[object, object], name: NameTensor, path: str) -> object:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {str(key): to_json(item, name, _join(path, key)) for key, item in value.items()}
    return {"$dict": [[to_json(k, name, path), to_json(v, name, _join(path, k))] for k, v in value.items()]}


def _leaf(value: object, name: NameTensor, path: str) -> object:
    match value:
        case bytes() | bytearray():
            return {"$bytes": base64.b64encode(value).decode()}
        case complex():
            return {"$complex": [to_json(value.real), to_json(value.imag)]}
        case set() | frozenset():
            return {"$set": [to_json(item, name, path) for item in sorted(value, key=repr)]}
        case ClassRef():
            return {"$class": f"{value.module}:{value.name}"}
        case NdArray():
            data = base64.b64encode(value.data).decode()
            return {"$ndarray": {"dtype": value.dtype, "shape": list(value.shape), "data": data}}
        case _:
            raise TypeError(f"{type(value).__name__} at {path or 'the root'} has no JSON form")


def from_json(value: object, tensor: Callable[[str], Tensor] | None = None) -> object:
    """Return the tree that `to_json` encoded.

    Args:
        value: JSON data.
        tensor: Finds a tensor by the name it is stored under.

    Raises:
        ValueError: A tag is unknown or its content is not of its form.
    """
    if isinstance(value, list):
        return [from_json(item, tensor) for item in value]
    if not isinstance(value, dict):
        return value
    tags = [key for key in value if key.startswith("$")]
    if not tags:
        return {key: from_json(item, tensor) for key, item in value.items()}
    if len(value) != 1:
        raise ValueError(f"{tags[0]} must stand alone in its object")
    return _untag(tags[0], value[tags[0]], tensor)


def _untag(tag: str, content: object, tensor: Callable[[str], Tensor] | None) -> object:
    decode = _DECODERS.get(tag)
    try:
        if tag == "$tensor" and tensor is not None:
            return tensor(_text(content))
        if decode is None:
            raise ValueError("unknown tag")
        return decode(content, tensor)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{tag}: {error}") from error


def _text(content: object) -> str:
    if not isinstance(content, str):
        raise TypeError("a string is expected")
    return content


def _sequence(content: object, tensor: Callable[[str], Tensor] | None) -> list[object]:
    if not isinstance(content, list):
        raise TypeError("an array is expected")
    return [from_json(item, tensor) for item in content]


def _pairs(content: object, tensor: Callable[[str], Tensor] | None) -> dict[object, object]:
    pairs = _sequence(content, tensor)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise TypeError("an array of [key, value] is expected")
    return {pair[0]: pair[1] for pair in pairs if isinstance(pair, list)}


def _float(content: object) -> float:
    if content not in ("nan", "inf", "-inf"):
        raise ValueError("nan, inf or -inf is expected")
    return float(_text(content))


def _complex(content: object) -> complex:
    parts = _sequence(content, None)
    real, imag = (part for part in parts if isinstance(part, int | float))
    return complex(real, imag)


def _class(content: object) -> ClassRef:
    module, _, name = _text(content).partition(":")
    return ClassRef(module, name)


def _ndarray(content: object) -> NdArray:
    if not isinstance(content, dict):
        raise TypeError("an object is expected")
    dtype, shape = _text(content["dtype"]), tuple(int(size) for size in content["shape"])
    data = base64.b64decode(_text(content["data"]), validate=True)
    if min(shape, default=0) < 0 or len(data) != math.prod(shape) * _itemsize(dtype):
        raise ValueError(f"{len(data)} bytes are not those of {dtype} and shape {list(shape)}")
    return NdArray(dtype, shape, data)


def _itemsize(dtype: str) -> int:
    """Return the bytes of one element of a numpy type string."""
    kind, digits = dtype[1:2], dtype[2:].partition("[")[0]
    if dtype[:1] not in "<|" or not kind.isalpha() or not digits.isdigit():
        raise ValueError(f"{dtype!r} is no numpy type string")
    return int(digits) * (4 if kind == "U" else 1)


_Decoder = Callable[[object, Callable[[str], Tensor] | None], object]

_DECODERS: dict[str, _Decoder] = {
    "$float": lambda c, _: _float(c),
    "$int": lambda c, _: int(_text(c)),
    "$complex": lambda c, _: _complex(c),
    "$bytes": lambda c, _: base64.b64decode(_text(c), validate=True),
    "$tuple": lambda c, t: tuple(_sequence(c, t)),
    "$set": lambda c, t: set(_sequence(c, t)),
    "$dict": _pairs,
    "$class": lambda c, _: _class(c),
    "$ndarray": lambda c, _: _ndarray(c),
}


def encoded(value: object, prefix: str = TRAINING_PREFIX) -> tuple[object, dict[str, Tensor]]:
    """Return a tree as JSON data, and its tensors under the names that it refers to them by.

    A name is the dotted path; where two paths read alike, the later ones get `~2`, `~3` … behind it.

    Args:
        value: A tree.
        prefix: First part of each name; it keeps them apart from the model's own names.
    """
    found: dict[str, Tensor] = {}

    def name(tensor: Tensor, path: str) -> str:
        chosen, count = path, 1
        while chosen in found:
            count += 1
            chosen = f"{path}~{count}"
        found[chosen] = tensor
        return chosen

    return to_json(value, name, prefix), found


def tensors_in(value: object, prefix: str = TRAINING_PREFIX) -> dict[str, Tensor]:
    """Return the tensors of a tree under the names that they are stored by; see `encoded`."""
    return encoded(value, prefix)[1]
