"""Spaces as gymnasium pickles them, from the plain form of `model.spaces`; bounds and dtypes stay exact.

Source: gymnasium 1.4.0, `spaces/*.py`: the attributes that instances of each class have.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ckptkit.errors import NotExportableError
from ckptkit.model.inert import ClassRef, NdArray
from ckptkit.writers.sb3.object_pickle import Made, dtype, scalar

if TYPE_CHECKING:
    import numpy as np

Space = Mapping[str, object]

MAX_ELEMENTS = 1 << 24
"""Elements of one Box: its bounds are written in full, and a bundle states them as one number."""

_CODES = {
    "bool": "|b1",
    "int8": "|i1",
    "uint8": "|u1",
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "uint32": "<u4",
    "int64": "<i8",
    "uint64": "<u8",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
}


def space(described: object, where: str) -> Made:
    """Return the gymnasium space that a description is of.

    Args:
        described: As `model.spaces.describe` returns it.
        where: Which space it is, for messages.

    Raises:
        NotExportableError: It is not known exactly, or of a kind that SB3 takes nowhere.
    """
    kind = described.get("type") if isinstance(described, Mapping) else None
    form = _FORMS.get(str(kind))
    if form is None or not isinstance(described, Mapping):
        name = described.get("class", kind) if isinstance(described, Mapping) else "not there"
        raise NotExportableError(f"the {where} is {name}, which has no exact form in gymnasium")
    try:
        return form(described, where)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise NotExportableError(f"the {where} is not understood: {error}") from error


def size(described: object) -> int:
    """Return the number of elements of a Box action."""
    sizes = _sizes(described.get("shape", [])) if isinstance(described, Mapping) else []
    count = 1
    for part in sizes:
        count *= part
    return count


def _made(kind: str, module: str, state: Mapping[str, object]) -> Made:
    return Made(ClassRef(f"gymnasium.spaces.{module}", kind), (), {**state, "_np_random": None})


def _code(described: Space, default: str) -> str:
    """Return the numpy type string; `KeyError` where gymnasium has no such element type."""
    return _CODES[str(described.get("dtype") or default)]


def _sizes(value: object) -> list[int]:
    return [int(size) for size in value] if isinstance(value, Sequence) else []


def _box(described: Space, where: str) -> Made:
    import numpy as np

    del where
    code, shape = _code(described, "float32"), tuple(_sizes(described["shape"]))
    low, high = (_filled(described[side], code, shape) for side in ("low", "high"))
    state: dict[str, object] = {"dtype": dtype(code), "_shape": shape}
    for side, bound, bounded in (("low", low, low > -np.inf), ("high", high, high < np.inf)):
        name = "bounded_below" if side == "low" else "bounded_above"
        state |= {side: NdArray(code, shape, bound.tobytes())}
        state |= {name: NdArray("|b1", shape, np.asarray(bounded, "?").tobytes())}
    return _made("Box", "box", state | {"low_repr": None, "high_repr": None})


def _filled(bound: object, code: str, shape: tuple[int, ...]) -> "np.ndarray[Any, Any]":
    import numpy as np

    if math.prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"{math.prod(shape)} elements, at most {MAX_ELEMENTS} are written")
    if isinstance(bound, list):
        return np.array(bound, code).reshape(shape)
    return np.full(shape, bound, code)


def _integers(values: Sequence[int], code: str, shape: tuple[int, ...]) -> NdArray:
    import numpy as np

    return NdArray(code, shape, np.array(values, code).reshape(shape).tobytes())


def _discrete(described: Space, where: str) -> Made:
    import numpy as np

    del where
    code = _code(described, "int64")
    count, start = (np.array(described.get(key, 0), code).tobytes() for key in ("n", "start"))
    state = {"dtype": dtype(code), "n": scalar(code, count), "start": scalar(code, start), "_shape": ()}
    return _made("Discrete", "discrete", state)


def _multi_discrete(described: Space, where: str) -> Made:
    del where
    code, nvec = _code(described, "int64"), _sizes(described["nvec"])
    shape = tuple(_sizes(described.get("shape", [len(nvec)])))
    start = _sizes(described.get("start", [0] * len(nvec)))
    state = {"dtype": dtype(code), "nvec": _integers(nvec, code, shape), "_shape": shape}
    return _made("MultiDiscrete", "multi_discrete", state | {"start": _integers(start, code, shape)})


def _multi_binary(described: Space, where: str) -> Made:
    del where
    shape = tuple(_sizes(described["shape"]))
    count = shape[0] if len(shape) == 1 else shape
    state = {"n": count, "_shape": shape, "dtype": dtype(_code(described, "int8"))}
    return _made("MultiBinary", "multi_binary", state)


def _dict(described: Space, where: str) -> Made:
    members = described.get("spaces")
    inner = {}
    for member in members if isinstance(members, list) else []:
        inner[str(member["key"])] = space(member["space"], f"{where}, key {member['key']!r}")
    return _made("Dict", "dict", {"sort_keys": True, "spaces": inner, "_shape": None, "dtype": None})


_FORMS: dict[str, Callable[[Space, str], Made]] = {
    "Box": _box,
    "Discrete": _discrete,
    "MultiDiscrete": _multi_discrete,
    "MultiBinary": _multi_binary,
    "Dict": _dict,
}
