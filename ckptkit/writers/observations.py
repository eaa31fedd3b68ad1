"""Inputs that put a network to the test: the edges of its spaces, and seeded rows between them.

All numbers come from exact arithmetic on the generator's uniform doubles, so that no system's own
logarithms or cosines show in them.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ckptkit.graph.onnx_model import taken
from ckptkit.model.architecture import Graph, ValueType

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Random = np.random.Generator

MOST_ROWS, LEAST_ROWS = 64, 16
MOST_ELEMENTS = 1 << 16
"""Elements of one input above which there are fewer than `MOST_ROWS` rows."""
REACH = 3.0
"""Stands for a bound that is infinite, or over `FAR`: from all inputs that far out at once, terms
grow that cancel, and of a small difference of large float32 numbers no two programs give the same."""
FAR = 1e4
WHOLE = {"U8": "u1", "I8": "i1", "U16": "u2", "I16": "<i2", "U32": "u4", "I32": "<i4", "I64": "<i8"}
FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
Space = Mapping[str, object]


def observations(
    graph: Graph, spaces: Mapping[str, object], seed: int, clip: float | None = None
) -> dict[str, "Array"]:
    """Return a batch for every input of `graph` that an output depends on.

    Row 0 is the low edge of each space, row 1 the high one, row 2 zero or what is nearest to it;
    of a Discrete space these are the first, the last and the middle element.

    Args:
        graph: Its inputs are named by the contract (`obs`, `obs.<key>`, `action_mask`, …).
        spaces: The manifest's spaces; an input without one is drawn by its dtype alone.
        seed: Of `numpy.random.default_rng`.
        clip: Bound that a normaliser in front of the network clips floating observations to.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    rows = _rows(graph)
    action = spaces.get("action")
    made: dict[str, Array] = {}
    for name, value in taken(graph).items():
        if name == "action_mask":
            made[name] = _mask(rng, rows, value, action if isinstance(action, Mapping) else {})
        elif name == "episode_start":
            made[name] = np.arange(rows) % 2 == 1
        elif value.shape[0] is not None:
            made[name] = _state(rng, rows, value)
        else:
            made[name] = _observation(rng, rows, value, space_of(spaces, name) or {}, clip)
    return made


def space_of(spaces: Mapping[str, object], name: str) -> Space | None:
    """Return the observation space of the input `name`; None where nothing says it."""
    whole = spaces.get("observation")
    if not isinstance(whole, Mapping):
        return None
    if name == "obs":
        return whole
    members = whole.get("spaces")
    for member in members if isinstance(members, list) else ():
        if f"obs.{member['key']}" == name and isinstance(member["space"], Mapping):
            found: Space = member["space"]
            return found
    return None


def _rows(graph: Graph) -> int:
    sizes = [1]
    for value in taken(graph).values():
        size = 1
        for axis in value.shape:
            size *= axis or 1
        sizes.append(size)
    return max(LEAST_ROWS, min(MOST_ROWS, MOST_ELEMENTS // max(sizes)))


def _shape(value: ValueType, rows: int) -> tuple[int, ...]:
    return tuple(rows if size is None else size for size in value.shape)


def _observation(rng: "Random", rows: int, value: ValueType, space: Space, clip: float | None) -> "Array":
    shape = _shape(value, rows)
    if value.dtype in FLOATS:
        return _floats(rng, shape, space, clip).astype(FLOATS[value.dtype])
    if value.dtype == "BOOL":
        return _whole(rng, shape, 0, 1).astype("?")
    low, high = _whole_bounds(value, space, shape[1:])
    return _whole(rng, shape, low, high).astype(WHOLE[value.dtype])


def _whole_bounds(value: ValueType, space: Space, shape: tuple[int, ...]) -> tuple["Array", "Array"]:
    """Return the least and the greatest integer of each element."""
    import numpy as np

    match space:
        case {"type": "Discrete", "n": int(count)}:
            return np.zeros(shape, "i8"), np.full(shape, count - 1)
        case {"type": "MultiDiscrete", "nvec": list(nvec)} if len(nvec) == np.prod(shape):
            return np.zeros(shape, "i8"), np.array(nvec, "i8").reshape(shape) - 1
        case {"type": "Box"}:
            low, high = (_bound(space[side], shape) for side in ("low", "high"))
            return np.maximum(low, -FAR).astype("i8"), np.minimum(high, FAR).astype("i8")
        case {"type": "MultiBinary"}:
            return np.zeros(shape, "i8"), np.ones(shape, "i8")
    return np.zeros(shape, "i8"), np.full(shape, 255 if value.dtype == "U8" else 0)


def _bound(given: object, shape: tuple[int, ...]) -> "Array":
    """Return one side of a Box; of a list whose axes were moved, its extreme for every element."""
    import numpy as np

    values = np.array(given, np.float64)
    return np.broadcast_to(values, shape) if values.size != np.prod(shape) else values.reshape(shape)


def _whole(rng: "Random", shape: tuple[int, ...], low: object, high: object) -> "Array":
    import numpy as np

    least, most = np.broadcast_to(np.array(low, "i8"), shape[1:]), np.array(high, "i8")
    made: Array = least + np.floor(rng.random(shape) * (most - least + 1)).astype("i8")
    made[0], made[1], made[2] = (
        least,
        most,
        np.clip((least + most) // 2 if least.min() >= 0 else 0, least, most),
    )
    # Each element of a small space has a row of its own.
    if not shape[1:]:
        count = min(int(most - least) + 1, shape[0] - 3)
        made[3 : 3 + count] = least + np.arange(count)
    return made


def _floats(rng: "Random", shape: tuple[int, ...], space: Space, clip: float | None) -> "Array":
    import numpy as np

    low, high = np.full(shape[1:], -np.inf), np.full(shape[1:], np.inf)
    if space.get("type") == "Box" and clip in (None, np.inf):
        low, high = (_bound(space[side], shape[1:]) for side in ("low", "high"))
    reach = REACH if clip in (None, np.inf) else clip
    closed_low, closed_high = np.abs(low) <= FAR, np.abs(high) <= FAR
    least = np.where(closed_low, low, np.where(closed_high, np.minimum(-reach, high - reach), -reach))
    most = np.where(closed_high, high, np.where(closed_low, np.maximum(reach, low + reach), reach))
    even = least + rng.random(shape) * (most - least)
    # The sum of four uniform numbers lies as most observations do: in the middle.
    middle = np.clip((rng.random((4, *shape)).sum(axis=0) - 2.0) * 1.5, least, most)
    made: Array = np.where(closed_low & closed_high, even, middle)
    made[0], made[1], made[2] = least, most, np.clip(0.0, least, most)
    return made


def _state(rng: "Random", rows: int, value: ValueType) -> "Array":
    """Return recurrent states in (-1, 1), the first row zero; the batch may be any axis."""
    import numpy as np

    made: Array = (rng.random(_shape(value, rows)) * 2.0 - 1.0).astype("<f4")
    np.moveaxis(made, value.shape.index(None), 0)[0] = 0.0
    return made


def _mask(rng: "Random", rows: int, value: ValueType, action: Space) -> "Array":
    """Return masks that leave at least one action of each part; row 0 leaves all, row 1 one."""
    import numpy as np

    shape = _shape(value, rows)
    made = np.zeros(shape, "?")
    start = 0
    for size in _parts(action, shape[-1]):
        part = rng.random((rows, size)) < 0.5
        part[0], part[1] = True, False
        part[np.arange(rows), np.floor(rng.random(rows) * size).astype(int)] = True
        made[:, start : start + size] = part
        start += size
    return made


def _parts(action: Space, width: int) -> Iterator[int]:
    """Yield how many entries of the mask belong together."""
    match action:
        case {"type": "MultiDiscrete", "nvec": list(nvec)} if sum(nvec) == width:
            yield from nvec
        case {"type": "MultiBinary"} if width % 2 == 0:
            yield from [2] * (width // 2)
        case _:
            yield width
