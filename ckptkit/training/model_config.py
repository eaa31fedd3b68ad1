"""What an Asteroids DQN is, as data that is checked as a whole (`schemas/asteroids-model-config-1.0`)."""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ckptkit import schema
from ckptkit.errors import UsageError
from ckptkit.model import ndvalues
from ckptkit.recovery.asteroids.reading import THREE
from ckptkit.recovery.image_sizes import behind, sizes

SCHEMA = "asteroids-model-config-1.0"
ATOMS = ("n_atoms", "v_min", "v_max")
"""Fields that a distributional network needs, and no other network has."""
LATER = ("training_config_hash", "model_version", "framework_version")
"""Fields that the system's own class lacks; they are written only where they say something."""
_WINDOWS = tuple((kernel, kernel // 2) for _, kernel in THREE)


@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class ModelConfig:
    """The network of an Asteroids DQN and the techniques it is trained with.

    All fields are keywords; `input_shape` and `n_action` must be given. Numbers of numpy are taken as
    Python's own, and a zero stays a zero.

    Attributes:
        input_shape: Channels, height and width of one observation.
        n_action: Number of actions.
        double_dqn: Whether targets take the online network's action; training only.
        dueling_dqn: Heads for values and for advantages.
        distributional_dqn: Each action value is a distribution over `n_atoms` returns.
        noisy_networks: The heads' linear layers have learned noise.
        prioritized_replay: Training only.
        n_step_learning: Training only.
        n_atoms: Returns of a distribution, evenly from `v_min` to `v_max`; None where there is none.
        v_min: Lowest return; None where there is no distribution.
        v_max: Highest return.
        noisy_std_init: Noise that a new noisy layer starts with.
        n_steps: Steps that a target looks ahead where `n_step_learning` is set.
        game: Name of the environment.
        created_at: When the training started, as the training code writes it.
        training_config_hash: Digest of the training's configuration.
        model_version: As the training code writes it.
        framework_version: As the training code writes it.
    """

    input_shape: tuple[int, int, int]
    n_action: int
    double_dqn: bool = False
    dueling_dqn: bool = False
    distributional_dqn: bool = False
    noisy_networks: bool = False
    prioritized_replay: bool = False
    n_step_learning: bool = False
    n_atoms: int | None = None
    v_min: float | None = None
    v_max: float | None = None
    noisy_std_init: float = 0.5
    n_steps: int = 1
    game: str | None = None
    created_at: str | None = None
    training_config_hash: str | None = None
    model_version: str | None = None
    framework_version: str | None = None

    def __init__(self, **given: Any) -> None:
        """Take the fields by name.

        Raises:
            UsageError: Fields are missing, unknown, out of bounds or contradict each other; the message
                lists all that is wrong.
        """
        words = {name: plain_value(value) for name, value in given.items()}
        problems = validate_model_config(words)
        if problems:
            raise UsageError(f"no ModelConfig: {'; '.join(problems)}")
        for field in fields(self):
            object.__setattr__(self, field.name, _typed(field.name, words.get(field.name, field.default)))

    @property
    def architecture_name(self) -> str:
        """Such as `Distributional Dueling Noisy DQN (Double+PER+3-step)`."""
        network = {
            "Distributional": self.distributional_dqn,
            "Dueling": self.dueling_dqn,
            "Noisy": self.noisy_networks,
            "DQN": True,
        }
        techniques = {
            "Double": self.double_dqn,
            "PER": self.prioritized_replay,
            f"{self.n_steps}-step": self.n_step_learning,
        }
        name = " ".join(word for word, holds in network.items() if holds)
        trained = "+".join(word for word, holds in techniques.items() if holds)
        return f"{name} ({trained})" if trained else name

    def words(self) -> dict[str, object]:
        """Return the `model_config` of a version 2.0 file: Python data that the system's own class takes."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if value is not None or name not in LATER}

    def to_json(self) -> dict[str, object]:
        """Return the fields as JSON data."""
        return self.words() | {"input_shape": list(self.input_shape)}

    @classmethod
    def of(cls, config: "ModelConfig | Mapping[str, object]") -> "ModelConfig":
        """Return a configuration as it is, or from the fields that a mapping gives.

        Raises:
            UsageError: As for the class itself.
        """
        return config if isinstance(config, ModelConfig) else cls.from_json(config)

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> "ModelConfig":
        """Return the configuration that `to_json` gave, or that a file has as `model_config`.

        Raises:
            UsageError: It is no mapping; and as for the class itself.
        """
        if not isinstance(document, Mapping):
            raise UsageError(f"no ModelConfig: a {type(document).__name__} is no mapping of fields")
        return cls(**{str(name): value for name, value in document.items()})


def validate_model_config(words: Mapping[str, object]) -> list[str]:
    """Return everything that is wrong with the fields of a `model_config`, one line each.

    Args:
        words: Fields by name; plain Python data.
    """
    found = schema.validate(SCHEMA, {name: _json(value) for name, value in words.items()})
    problems = []
    for problem in found:
        place = problem.pointer.lstrip("/")
        unknown = place in words and place not in _NAMES
        problems.append(f"{place} is no field" if unknown else f"{place} {problem.message}".strip())
    return [*problems, *_contradictions(words)]


def without_effect(words: Mapping[str, object]) -> tuple[str, ...]:
    """Return the fields of a file that say something of atoms although the network has none."""
    if words.get("distributional_dqn") is not False:
        return ()
    return tuple(name for name in ATOMS if words.get(name) is not None)


def _contradictions(words: Mapping[str, object]) -> Iterator[str]:
    """Yield what fields say against each other, and what no schema can say of a number."""
    for name in ("v_min", "v_max", "noisy_std_init"):
        value = words.get(name)
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{name} must be finite, is {value}"
    yield from _of_atoms(words)
    shape = words.get("input_shape")
    smallest, _ = sizes(1, _WINDOWS)
    if isinstance(shape, list | tuple) and len(shape) == 3:
        sides = [side for side in shape[1:] if isinstance(side, int) and side > 0]
        if any(behind(side, _WINDOWS) < 1 for side in sides):
            size = " × ".join(map(str, shape[1:]))
            yield f"input_shape must be at least {smallest} pixels high and wide, is {size}"


def _of_atoms(words: Mapping[str, object]) -> Iterator[str]:
    said = [name for name in ATOMS if words.get(name) is not None]
    whether = words.get("distributional_dqn", False)
    if whether is False and said:
        yield f"{', '.join(said)} without distributional_dqn: only a distributional network has atoms"
    if whether is True and len(said) < len(ATOMS):
        lacks = [name for name in ATOMS if name not in said]
        yield f"distributional_dqn without {', '.join(lacks)}"
    low, high = words.get("v_min"), words.get("v_max")
    if isinstance(low, int | float) and isinstance(high, int | float) and not _single(low) < _single(high):
        yield f"v_min must be less than v_max in float32, is {low} and {high}"


def _single(value: float) -> float:
    """Return the float32 next to a number, in which the network holds its atoms."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def plain_value(value: object) -> object:
    """Return a number of numpy, also one read from a file, as Python's own; sequences as tuples."""
    number = ndvalues.number(value)
    if number is not None:
        return number
    if isinstance(value, list | tuple):
        return tuple(plain_value(item) for item in value)
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "shape", None) == () else value


def _json(value: object) -> object:
    """Return a value as the schema takes it; what JSON lacks becomes something that the schema refuses."""
    match value:
        case tuple() | list():
            return [_json(item) for item in value]
        case None | bool() | int() | float() | str() | dict():
            return value
        case _:
            return {"type": type(value).__name__}


def _typed(name: str, value: Any) -> object:
    if name == "input_shape":
        return tuple(value)
    return float(value) if name in ("v_min", "v_max", "noisy_std_init") and value is not None else value


_NAMES = frozenset(field.name for field in fields(ModelConfig))
