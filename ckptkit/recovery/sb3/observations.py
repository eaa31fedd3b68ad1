"""From an observation to the float features that extractors take.

Source: stable-baselines3 2.9.2, `common/preprocessing.py`, `preprocess_obs` and `is_image_space`.
"""

from collections.abc import Mapping

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder

DTYPES = {
    "float32": "F32",
    "float64": "F64",
    "float16": "F16",
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "bool": "BOOL",
}
"""Safetensors spelling of the dtypes that numpy spaces have."""

Space = Mapping[str, object]


def prepare(builder: GraphBuilder, space: Space, *, normalize_images: bool) -> dict[str, str]:
    """Add the inputs for `space` and the steps up to float features.

    Returns:
        Value name by key of a Dict space, in its order; the key "" for any other space.

    Raises:
        ArchitectureError: Stable-Baselines3 has no policy for such a space.
    """
    if space.get("type") != "Dict":
        return {"": _one(builder, space, "obs", normalize_images)}
    return {key: _one(builder, part, f"obs.{key}", normalize_images) for key, part in _parts(space).items()}


def _parts(space: Space) -> dict[str, Space]:
    spaces = space["spaces"]
    return {str(one["key"]): one["space"] for one in spaces} if isinstance(spaces, list) else {}


def has_image(space: Space) -> bool:
    """Whether SB3 divides the space, or a part of a Dict, by 255 unless told not to."""
    return any(map(is_image, _parts(space).values() if space.get("type") == "Dict" else (space,)))


def is_image(space: Space) -> bool:
    """Whether SB3 divides this space by 255: three axes of uint8 with bounds 0 and 255."""
    shape = space.get("shape")
    three = isinstance(shape, list) and len(shape) == 3
    return three and space.get("dtype") == "uint8" and space.get("low") == 0 and space.get("high") == 255


def _one(builder: GraphBuilder, space: Space, name: str, normalize_images: bool) -> str:
    match space.get("type"):
        case "Box":
            return _box(builder, space, name, normalize_images)
        case "Discrete":
            index = builder.input(name, "I64", (None,))
            return builder.add("OneHot", index, num_classes=space["n"])
        case "MultiDiscrete":
            return _multi_discrete(builder, space, name)
        case "MultiBinary":
            bits = builder.input(name, "I8", (None, *_sizes(space)))
            return builder.add("Cast", bits, dtype="F32")
        case kind:
            raise ArchitectureError(f"is that its observation space? no policy takes a {kind}")


def _sizes(space: Space) -> tuple[int, ...]:
    shape = space["shape"]
    return tuple(int(size) for size in shape) if isinstance(shape, list) else ()


def _box(builder: GraphBuilder, space: Space, name: str, normalize_images: bool) -> str:
    dtype = DTYPES.get(str(space.get("dtype")))
    if dtype is None:
        raise ArchitectureError(
            f"how are observations fed? ckptkit has no input of dtype {space.get('dtype')}"
        )
    value = builder.input(name, dtype, (None, *_sizes(space)))
    if dtype != "F32":
        value = builder.add("Cast", value, dtype="F32")
    if normalize_images and is_image(space):
        value = builder.add("Div", value, value=255.0)
    return value


def _multi_discrete(builder: GraphBuilder, space: Space, name: str) -> str:
    """One one-hot vector per part, side by side."""
    sizes = space["nvec"]
    if not isinstance(sizes, list) or "shape" in space:
        raise ArchitectureError(
            "is that its observation space? no policy takes a MultiDiscrete of several axes"
        )
    value = builder.input(name, "I64", (None, len(sizes)))
    parts = []
    for i, size in enumerate(sizes):
        index = builder.add("Slice", value, name=f"{name}/part_{i}", axis=1, start=i, stop=i + 1)
        parts.append(builder.add("Flatten", builder.add("OneHot", index, num_classes=size)))
    return builder.add("Concat", *parts, name=f"{name}/onehot", axis=1) if len(parts) > 1 else parts[0]
