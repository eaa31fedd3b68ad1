"""numpy's dtypes, arrays and scalars from the arguments of their pickles, without numpy.

Source: numpy 2.4.6, `numpy/_core/src/multiarray/{methods,descriptor}.c` (`array_setstate`,
`arraydescr_setstate`) and `numpy/_core/numeric.py` (`_frombuffer`).
"""

import re
import struct

from ckptkit.model.inert import ClassRef, Instance, NdArray
from ckptkit.storage.pickles.machine import Machine, Refuse

DTYPE = ("numpy", "dtype")
ARRAY = ("numpy", "ndarray")
_CODE = re.compile(r"([<>=|]?)([biufcSUVOmM?])([0-9]*)")
_ALIASES = {"?": ("b", 1), "b": ("b", 1)}
_SCALARS = {
    "b1": "?",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
    "f2": "e",
    "f4": "f",
    "f8": "d",
}
_COMPLEX = {"c8": "ff", "c16": "dd"}


def dtype_text(value: object) -> str | None:
    """Return a dtype's type string (`<f4`, `|u1`, `<U3`), None where it is no simple dtype.

    Args:
        value: What the machine made of a pickled dtype, or a reference such as `numpy.float32`.
    """
    if isinstance(value, ClassRef) and value.module == "numpy":
        return NAMED.get(value.name)
    if isinstance(value, Instance) and isinstance(value.cls, ClassRef):
        named = (value.cls.module, value.cls.name) == DTYPE
        if named and len(value.args) == 1 and value.state is None and isinstance(value.args[0], str):
            return value.args[0]
    return None


NAMED = {
    "bool": "|b1",
    "bool_": "|b1",
    "int8": "|i1",
    "uint8": "|u1",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "complex64": "<c8",
    "complex128": "<c16",
    "object_": "|O",
}
"""Type strings of numpy's scalar classes."""


def normalised(code: str, order: str = "") -> str:
    """Return a type string with its byte order; native order is little-endian.

    Raises:
        Refuse: `code` is no type string of numpy.
    """
    match = _CODE.fullmatch(code)
    if match is None:
        raise Refuse(f"gets {code!r} as a dtype")
    stated, kind, digits = match.groups()
    size = int(digits[:9]) if digits else 0
    if kind == "O":
        return "|O"
    if kind in _ALIASES and not digits:
        kind, size = _ALIASES[kind]
    elif not digits or len(digits) > 9:
        raise Refuse(f"gets {code!r} as a dtype")
    order = order or stated
    if kind in "SV" or (kind + str(size)) in ("b1", "i1", "u1"):
        return f"|{kind}{size}"
    return f"{'>' if order == '>' else '<'}{kind}{size}"


def itemsize(code: str) -> int:
    """Return the bytes of one element of a type string that `normalised` gave."""
    kind, size = code[1], int(code[2:] or 8)
    return size * 4 if kind == "U" else size


def word(code: str) -> int:
    """Return the bytes of the unit that byte order applies to."""
    kind, size = code[1], int(code[2:] or 8)
    if kind == "U":
        return 4
    return size // 2 if kind == "c" else size


def little_endian(data: bytes, code: str) -> bytes:
    """Return `data` with the bytes of each word reversed where `code` is big-endian."""
    width = word(code)
    if code[0] != ">" or width == 1:
        return bytes(data)
    out = bytearray(len(data))
    for i in range(width):
        out[i::width] = data[width - 1 - i :: width]
    return bytes(out)


def row_major(data: bytes, shape: tuple[int, ...], size: int) -> bytes:
    """Return a column-major array's elements in row-major order."""
    if sum(length != 1 for length in shape) < 2:
        return data
    import numpy as np

    return np.frombuffer(data, f"V{size}").reshape(shape, order="F").tobytes(order="C")


def simple_array(
    m: Machine, dtype: str, shape: tuple[int, ...], data: bytes, *, column_major: bool
) -> NdArray:
    """Return an array of a simple dtype.

    Raises:
        Refuse: The bytes are not those of the shape.
    """
    size = itemsize(dtype)
    count = 1
    for length in shape:
        count *= length
    if count * size != len(data):
        raise Refuse(f"{len(data)} bytes for an array of shape {shape} and type {dtype}")
    m.spend(len(data))
    data = little_endian(data, dtype)
    if column_major:
        data = row_major(data, shape, size)
    return NdArray(("<" if dtype[0] == ">" else dtype[0]) + dtype[1:], shape, data)


def shape_of(value: object) -> tuple[int, ...]:
    """Return an array's shape.

    Raises:
        Refuse: It is none.
    """
    if type(value) is int:
        value = (value,)
    if not isinstance(value, tuple | list) or len(value) > 64:
        raise Refuse("gets something that is no shape")
    sizes = tuple(size for size in value if type(size) is int and 0 <= size < 1 << 63)
    if len(sizes) != len(value):
        raise Refuse("gets something that is no shape")
    return sizes


def raw_bytes(value: object) -> bytes:
    """Return array bytes; Python 2 wrote them as a string.

    Raises:
        Refuse: They are none.
    """
    if isinstance(value, str) and value.isascii():
        return value.encode()
    if not isinstance(value, bytes | bytearray):
        raise Refuse("gets something that is no bytes as elements")
    return bytes(value)


def build_array(m: Machine, target: NdArray, state: object, at: int) -> None:
    """Fill the array that `_reconstruct` made from `(version, shape, dtype, is_fortran, data)`."""
    if isinstance(state, tuple) and len(state) == 4:
        state = (1, *state)
    if not isinstance(state, tuple) or len(state) != 5:
        raise Refuse("gets something that is no array state")
    _version, shape, dtype, column_major, data = state
    sizes = shape_of(shape)
    code = dtype_text(dtype)
    if code is None or code == "|O" or code[1] in "mM":
        _swap(m, target, Instance(m.name(*ARRAY, at - 1), (sizes, dtype), state=data))
        return
    made = simple_array(m, code, sizes, raw_bytes(data), column_major=bool(column_major))
    for name in ("dtype", "shape", "data"):
        # The array is in the memo already and has to stay the same object.
        object.__setattr__(target, name, getattr(made, name))


def _swap(m: Machine, old: NdArray, new: Instance) -> None:
    """Put a description in the place of an array that holds objects, on the stack and in the memo."""
    m.stack[-1] = new
    object.__setattr__(old, "dtype", "|O")
    for key in reversed(range(len(m.memo))):
        m.spend(1)
        if m.memo[key] is old:
            m.memo[key] = new
            return


def scalar(code: str, data: bytes) -> object:
    """Return the plain Python value of a numpy scalar; None where there is none.

    Raises:
        Refuse: The bytes are not those of one element.
    """
    if len(data) != itemsize(code):
        raise Refuse(f"{len(data)} bytes for a scalar of type {code}")
    order = ">" if code[0] == ">" else "<"
    if code[1:] in _SCALARS:
        value: object = struct.unpack(order + _SCALARS[code[1:]], data)[0]
        return value
    if code[1:] in _COMPLEX:
        return complex(*struct.unpack(order + _COMPLEX[code[1:]], data))
    if code[1] == "S":
        return data.rstrip(b"\0")
    if code[1] == "U":
        return _text(data, order)
    return None


def _text(data: bytes, order: str) -> str:
    try:
        return data.decode("utf-32-be" if order == ">" else "utf-32-le").rstrip("\0")
    except UnicodeDecodeError:
        raise Refuse("gets bytes that are no text") from None
