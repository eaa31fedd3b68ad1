"""Elements of a pickled numpy array, without numpy."""

import math
import struct

from ckptkit.model.inert import NdArray

CODES = {
    "b1": "?",
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "f2": "e",
    "i4": "i",
    "u4": "I",
    "f4": "f",
    "i8": "q",
    "u8": "Q",
    "f8": "d",
}
"""`struct` codes of the numpy kinds whose elements a Python number holds exactly."""

DTYPE_NAMES = {
    "b1": "bool",
    "i1": "int8",
    "u1": "uint8",
    "i2": "int16",
    "u2": "uint16",
    "f2": "float16",
    "i4": "int32",
    "u4": "uint32",
    "f4": "float32",
    "i8": "int64",
    "u8": "uint64",
    "f8": "float64",
}
"""numpy's own names of those kinds."""

Number = bool | int | float


def values(array: NdArray) -> list[Number]:
    """Return the elements in row-major order, each exactly.

    Raises:
        ValueError: The element type is not one of `CODES`, or the bytes do not fill the shape.
    """
    code = CODES.get(array.dtype[1:])
    if code is None:
        raise ValueError(f"array of {array.dtype} holds no plain numbers")
    count = math.prod(array.shape)
    if len(array.data) != count * struct.calcsize(code):
        raise ValueError(f"array of shape {array.shape} holds {len(array.data)} bytes of {array.dtype}")
    return list(struct.unpack(f"<{count}{code}", array.data))


def uniform(array: NdArray) -> Number | None:
    """Return the one value that all elements are bit for bit; None where they differ or are none."""
    code = CODES.get(array.dtype[1:])
    if code is None or not array.data:
        return None
    first = array.data[: struct.calcsize(code)]
    count = math.prod(array.shape)
    if len(array.data) != len(first) * count or first * count != array.data:
        return None
    found: Number = struct.unpack(f"<{code}", first)[0]
    return found


def number(value: object) -> Number | None:
    """Return the number that `value` is, as itself or as a numpy scalar; None for anything else."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, NdArray) and value.shape == () and value.dtype[1:] in CODES:
        return values(value)[0]
    return None


def integers(value: object) -> list[int] | None:
    """Return the integers of an array, list, tuple or single number; None for anything else."""
    items: list[object]
    match value:
        case NdArray() if value.dtype[1:] in CODES:
            items = list(values(value))
        case list() | tuple():
            items = [number(item) for item in value]
        case _:
            items = [number(value)]
    return [int(i) for i in items if isinstance(i, int)] if all(isinstance(i, int) for i in items) else None
