"""Observation and action spaces as plain data, with exact bounds.

Each space is an object with a `type`; numbers are exact (a float32 bound is the float64 of equal
value), non-finite ones stay floats here and are encoded by `model.tree`:

- `{"type": "Box", "shape": [3], "dtype": "float32", "low": -1.0, "high": [0.5, 1.0, 2.0]}`: a bound
  is one number where all elements are equal, else a flat row-major list;
- `{"type": "Discrete", "n": 4, "start": 0}`;
- `{"type": "MultiDiscrete", "nvec": [2, 3]}`, with `shape` where `nvec` has more than one dimension
  and `start` where one is not 0;
- `{"type": "MultiBinary", "shape": [4]}`;
- `{"type": "Dict", "spaces": [{"key": "a", "space": …}, …]}` in the order of the file;
- `{"type": "Tuple", "spaces": […]}`, `{"type": "OneOf", "spaces": […]}`;
- `{"type": "Text", "min_length": 1, "max_length": 5, "characters": "abc"}`;
- `{"type": "Sequence", "space": …, "stack": false}`;
- `{"type": "Graph", "node": …, "edge": … or null}`;
- `{"type": "unknown", "class": "package.module.Name"}` for every other class.

Box and the integer spaces state `dtype` where the file does (numpy's name). Sources: gym 0.17 to 0.26
and gymnasium 0.28 to 1.2, `spaces/*.py`; the attributes are those that their pickles hold.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from ckptkit.model.checkpoint import Note
from ckptkit.model.inert import ClassRef, Instance, NdArray
from ckptkit.model.ndvalues import CODES, DTYPE_NAMES, integers, number, uniform, values

MAX_DEPTH = 32
"""Nesting of Dict, Tuple and the like."""

Space = dict[str, object]
State = Mapping[object, object]


class _UnknownFormError(Exception):
    """The state of a known class is not of a form that any release of it wrote."""


_Inner = Callable[[object, str], Space]
"""Describes a space inside another, given its key there."""
_Nested = Callable[[State, _Inner], Space]


def describe(value: object, where: str = "") -> tuple[Space, tuple[Note, ...]]:
    """Return the space that `value` describes.

    Args:
        value: Inert value of a pickled gym or gymnasium space.
        where: Place in the file, for notes (`data:observation_space`).

    Returns:
        The space as data, and a note `unknown-space` for each part that has no such form.
    """
    notes: list[Note] = []
    return _space(value, where, notes, 0), tuple(notes)


def _space(value: object, where: str, notes: list[Note], depth: int) -> Space:
    def inner(part: object, key: str) -> Space:
        return _space(part, f"{where}.{key}", notes, depth + 1)

    try:
        if depth > MAX_DEPTH:
            raise _UnknownFormError(f"nested more than {MAX_DEPTH} deep")
        return _known(value, inner)
    except (_UnknownFormError, ValueError) as error:
        name = _class_name(value)
        notes.append(Note("unknown-space", f"space {name} is kept by its name only: {error}", where))
        return {"type": "unknown", "class": name}


def _known(value: object, inner: _Inner) -> Space:
    kind = _kind(value)
    if not isinstance(value, Instance) or (kind not in _LEAVES and kind not in _NESTED):
        raise _UnknownFormError("its class is not one of gym's")
    state = _state(value)
    return _LEAVES[kind](state) if kind in _LEAVES else _NESTED[kind](state, inner)


def _class_name(value: object) -> str:
    cls = value.cls if isinstance(value, Instance) else value
    if isinstance(cls, ClassRef):
        return str(cls)
    return "class by value" if isinstance(cls, Instance) else type(value).__name__


def _kind(value: object) -> str:
    """Return the name of the gym or gymnasium space class; empty for any other."""
    if not isinstance(value, Instance) or not isinstance(value.cls, ClassRef):
        return ""
    package, _, rest = value.cls.module.partition(".")
    known = package in ("gym", "gymnasium") and (rest == "spaces" or rest.startswith("spaces."))
    return value.cls.name if known else ""


def _state(value: Instance) -> State:
    """Return the attributes; gym's `Dict` and `Text` give them as (dict, slots) in no release."""
    state = value.state
    if isinstance(state, tuple) and len(state) == 2 and state[1] is None:
        state = state[0]
    if not isinstance(state, Mapping):
        raise _UnknownFormError("it has no attributes")
    return state


def _get(state: State, *names: str) -> object:
    """Return the first attribute that is there; releases renamed `shape` to `_shape` and so on."""
    for name in names:
        if name in state:
            return state[name]
    raise _UnknownFormError(f"no attribute {names[0]!r}")


def _whole(state: State, *names: str) -> int:
    found = number(_get(state, *names))
    if not isinstance(found, int):
        raise _UnknownFormError(f"attribute {names[0]!r} is no integer")
    return int(found)


def _sizes(value: object, name: str) -> list[int]:
    found = integers(value)
    if found is None or min(found, default=0) < 0:
        raise _UnknownFormError(f"attribute {name!r} holds no sizes")
    return found


_PYTHON_NAMES = {"float": "float64", "int": "int64", "bool_": "bool", "?": "bool"}


def dtype_name(value: object) -> str:
    """Return numpy's name of a pickled dtype (`float32`); empty where it is not understood."""
    if isinstance(value, Instance) and isinstance(value.cls, ClassRef) and value.args:
        value = value.args[0]
    if isinstance(value, ClassRef):
        value = value.name
    if not isinstance(value, str):
        return ""
    code = value.lstrip("<>|=")
    if code in DTYPE_NAMES.values():
        return code
    return DTYPE_NAMES.get(
        code, {"float": "float64", "int": "int64", "bool_": "bool", "?": "bool"}.get(code, "")
    )


def _box(state: State) -> Space:
    low, high = _get(state, "low"), _get(state, "high")
    if not isinstance(low, NdArray) or not isinstance(high, NdArray):
        raise _UnknownFormError("its bounds are no arrays")
    shape = list(low.shape)
    if "_shape" in state or "shape" in state:
        shape = _sizes(_get(state, "_shape", "shape"), "shape")
    if shape != list(low.shape) or shape != list(high.shape):
        raise _UnknownFormError(f"shape {shape} with bounds of shape {list(low.shape)}, {list(high.shape)}")
    dtype = dtype_name(_get(state, "dtype")) or _unknown_dtype()
    return {"type": "Box", "shape": shape, "dtype": dtype, "low": _bound(low), "high": _bound(high)}


def _unknown_dtype() -> str:
    raise _UnknownFormError("its element type has no exact form here")


def _bound(array: NdArray) -> object:
    if array.dtype[1:] not in CODES:
        _unknown_dtype()
    same = uniform(array)
    return values(array) if same is None else same


def _with_dtype(space: Space, state: State) -> Space:
    name = dtype_name(state.get("dtype"))
    return space | {"dtype": name} if name else space


def _discrete(state: State) -> Space:
    start = _whole(state, "start") if "start" in state else 0
    count = _whole(state, "n")
    if count < 1:
        raise _UnknownFormError(f"it has {count} elements")
    return _with_dtype({"type": "Discrete", "n": count, "start": start}, state)


def _multi_discrete(state: State) -> Space:
    nvec = _get(state, "nvec")
    space: Space = {"type": "MultiDiscrete", "nvec": _sizes(nvec, "nvec")}
    if isinstance(nvec, NdArray) and len(nvec.shape) != 1:
        space["shape"] = list(nvec.shape)
    start = integers(state.get("start", ()))
    if start is None:
        raise _UnknownFormError("attribute 'start' holds no integers")
    if any(start):
        space["start"] = start
    return _with_dtype(space, state)


def _multi_binary(state: State) -> Space:
    return _with_dtype({"type": "MultiBinary", "shape": _sizes(_get(state, "n"), "n")}, state)


def _dict(state: State, inner: _Inner) -> Space:
    spaces = _get(state, "spaces")
    if not isinstance(spaces, Mapping) or not all(isinstance(key, str) for key in spaces):
        raise _UnknownFormError("its spaces are no mapping of names")
    members = [{"key": key, "space": inner(space, str(key))} for key, space in spaces.items()]
    return {"type": "Dict", "spaces": members}


def _several(kind: str) -> _Nested:
    def form(state: State, inner: _Inner) -> Space:
        spaces = _get(state, "spaces")
        if not isinstance(spaces, list | tuple):
            raise _UnknownFormError("its spaces are no list")
        members = [inner(s, str(i)) for i, s in enumerate(spaces)]
        return {"type": kind, "spaces": members}

    return form


def _text(state: State) -> Space:
    characters = _get(state, "_char_str", "charset")
    if not isinstance(characters, str):
        raise _UnknownFormError("its characters are no string")
    low, high = _whole(state, "min_length", "_min_length"), _whole(state, "max_length", "_max_length")
    return {"type": "Text", "min_length": low, "max_length": high, "characters": characters}


def _sequence(state: State, inner: _Inner) -> Space:
    element = inner(_get(state, "feature_space"), "feature_space")
    return {"type": "Sequence", "space": element, "stack": bool(state.get("stack", False))}


def _graph(state: State, inner: _Inner) -> Space:
    node = inner(_get(state, "node_space"), "node_space")
    edge = state.get("edge_space")
    return {"type": "Graph", "node": node, "edge": None if edge is None else inner(edge, "edge_space")}


_LEAVES: dict[str, Callable[[State], Space]] = {
    "Box": _box,
    "Discrete": _discrete,
    "MultiDiscrete": _multi_discrete,
    "MultiBinary": _multi_binary,
    "Text": _text,
}
_NESTED: dict[str, _Nested] = {
    "Dict": _dict,
    "Tuple": _several("Tuple"),
    "OneOf": _several("OneOf"),
    "Sequence": _sequence,
    "Graph": _graph,
}


def random_states(value: object, where: str, depth: int = 0) -> Iterator[str]:
    """Yield the places of the generators from which the spaces in `value` draw samples."""
    state = value.state if isinstance(value, Instance) else None
    if not isinstance(state, Mapping) or depth > MAX_DEPTH:
        return
    for name in ("_np_random", "np_random"):
        if state.get(name) is not None:
            yield f"{where}.{name}"
    inner = state.get("spaces")
    parts: Iterable[tuple[object, object]] = inner.items() if isinstance(inner, Mapping) else ()
    if isinstance(inner, list | tuple):
        parts = enumerate(inner)
    for key, part in parts:
        yield from random_states(part, f"{where}.{key}", depth + 1)


def observation_shapes(space: Mapping[str, object]) -> dict[str, list[int]]:
    """Return the shape of each array of an observation; the key is empty unless `space` is a Dict.

    Only Box and the other spaces whose shape is stated have one; others are left out.
    """
    if space.get("type") == "Dict":
        members = space.get("spaces")
        entries = members if isinstance(members, list) else []
        return {entry["key"]: shape for entry in entries if (shape := _shape(entry["space"])) is not None}
    shape = _shape(space)
    return {} if shape is None else {"": shape}


def _shape(space: Mapping[str, object]) -> list[int] | None:
    match space:
        case {"shape": list(shape)}:
            return shape
        case {"type": "Discrete"}:
            return []
        case {"type": "MultiDiscrete", "nvec": list(nvec)}:
            return [len(nvec)]
        case _:
            return None
