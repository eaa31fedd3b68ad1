"""From raw head outputs to what `predict(deterministic=True)` returns.

Source: stable-baselines3 2.9.2, `common/policies.py`, `BasePolicy.predict` and `unscale_action`;
`common/distributions.py`, `mode` of each distribution.
"""

import math
import struct
from collections.abc import Mapping

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder

FLOAT32_MAX = 3.4028234663852886e38

Space = Mapping[str, object]


def clip(builder: GraphBuilder, x: str, space: Space) -> str:
    """Clip to the bounds of a Box and give it the space's shape."""
    low, high = bounds(space)
    if any(map(math.isfinite, low)):
        x = builder.add("Maximum", x, name="action/low", value=_finite(low))
    if any(map(math.isfinite, high)):
        x = builder.add("Minimum", x, name="action/high", value=_finite(high))
    return shaped(builder, x, space)


def unscale(builder: GraphBuilder, x: str, space: Space) -> str:
    """Map [-1, 1] to the bounds of a Box: low + 0.5 (x + 1) (high - low)."""
    low, high = bounds(space)
    if not all(map(math.isfinite, low + high)):
        raise ArchitectureError("which bounds has the action space? a squashed action needs finite ones")
    x = builder.add("Add", x, name="action/shift", value=1.0)
    x = builder.add("Mul", x, name="action/half", value=0.5)
    x = builder.add(
        "Mul", x, name="action/range", value=[_single(b - a) for a, b in zip(low, high, strict=True)]
    )
    x = builder.add("Add", x, name="action/unscaled", value=low)
    return shaped(builder, x, space)


def shaped(builder: GraphBuilder, x: str, space: Space) -> str:
    """Give a flat action the shape of its space."""
    shape = space.get("shape")
    if not isinstance(shape, list) or len(shape) == 1:
        return x
    return builder.add("Reshape", x, name="action/shape", shape=shape)


def bounds(space: Space) -> tuple[list[float], list[float]]:
    """Return the bounds of a Box as flat lists of float32 values."""
    sides = []
    for key in ("low", "high"):
        side: object = space[key]
        numbers = side if isinstance(side, list) else [side] * count(space)
        sides.append([_single(float(str(number))) for number in numbers])
    return sides[0], sides[1]


def _single(number: float) -> float:
    """Round to float32, as numpy does where SB3 computes with a float32 space."""
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)


def _finite(numbers: list[float]) -> list[float]:
    """Replace infinities by the largest float32, which clips as little."""
    return [min(max(number, -FLOAT32_MAX), FLOAT32_MAX) for number in numbers]


def categorical(builder: GraphBuilder, head: str, sizes: list[int], *, masked: bool) -> dict[str, str]:
    """Return `action` and `logits` of one choice, or of several side by side.

    Logits are normalised within each choice, as torch's Categorical states them; with `masked`
    those that the input `action_mask` forbids are -1e8 first.
    """
    if masked:
        mask = builder.input("action_mask", "BOOL", (None, sum(sizes)))
        head = builder.add("MaskedFill", head, mask, name="action/masked")
    logits, actions, start = [], [], 0
    for i, size in enumerate(sizes):
        part = head
        if len(sizes) > 1:
            part = builder.add("Slice", head, name=f"action/part_{i}", start=start, stop=start + size)
        logits.append(builder.add("LogSoftmax", part))
        actions.append(builder.add("ArgMax", part, keepdim=len(sizes) > 1))
        start += size
    if len(sizes) == 1:
        return {"action": actions[0], "logits": logits[0]}
    return {
        "action": builder.add("Concat", *actions, name="action/joined"),
        "logits": builder.add("Concat", *logits, name="logits/joined"),
    }


def bernoulli(builder: GraphBuilder, head: str, space: Space) -> dict[str, str]:
    """Return 1 where the probability is above one half, as floats (SB3 rounds the probability)."""
    probability = builder.add("Sigmoid", head, name="action/probability")
    return {"action": shaped(builder, builder.add("Round", probability), space), "logits": head}


def largest(builder: GraphBuilder, values: str) -> str:
    """Return the index of the largest action value."""
    return builder.add("ArgMax", values, name="action/argmax")


def choices(space: Space) -> list[int]:
    """Return how many actions each part of a discrete space has; a bit of MultiBinary has two."""
    match space["type"]:
        case "Discrete":
            return [int(str(space["n"]))]
        case "MultiBinary":
            return [2] * count(space)
        case _:
            sizes = space["nvec"]
            if not isinstance(sizes, list) or "shape" in space:
                raise ArchitectureError(
                    "is that its action space? no policy takes a MultiDiscrete of several axes"
                )
            return [int(size) for size in sizes]


def count(space: Space) -> int:
    """Return how many numbers an action of a Box or MultiBinary space has."""
    shape = space["shape"]
    return math.prod(shape) if isinstance(shape, list) else 1


def expect_rows(builder: GraphBuilder, path: str, wanted: int) -> None:
    """Make sure that the Linear at `path` gives as many numbers as the action space needs.

    Raises:
        ArchitectureError: It gives another number of them.
    """
    rows = builder.shape(f"{path}.weight")[0]
    if rows != wanted:
        raise ArchitectureError(
            f"which holds? {path}.weight gives {rows} numbers, and the action space needs {wanted}"
        )
