"""What a manifest says of a checkpoint, for the readers of both v2 encodings.

Nothing is judged here: a part that does not decode is left out and noted, and the checks say why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ckptkit.model.checkpoint import Note
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import from_json


@dataclass(frozen=True, slots=True)
class Described:
    """The trees of a manifest, decoded, under the names that `Checkpoint` has for them.

    Attributes:
        notes: A note `undecodable` for each part that is left out.
    """

    model_config: Mapping[str, object]
    training_info: Mapping[str, object]
    spaces: Mapping[str, object]
    preprocessing: tuple[Mapping[str, object], ...]
    postprocessing: tuple[Mapping[str, object], ...]
    training_state: object
    notes: tuple[Note, ...]


def described(manifest: Mapping[str, object], tensor: Callable[[str], Tensor]) -> Described:
    """Decode the trees of a manifest.

    Args:
        manifest: As it was parsed; nothing in it has been checked.
        tensor: Finds a training tensor by name; raises KeyError where there is none.
    """
    notes: list[Note] = []

    def decode(field: str) -> object:
        try:
            return from_json(manifest.get(field), tensor if field == "training_state" else None)
        except (ValueError, RecursionError) as error:
            notes.append(Note("undecodable", f"is left out: {error}", f"/{field}"))
            return None

    return Described(
        model_config=_mapping(decode("model_config")),
        training_info=_mapping(decode("training_info")),
        spaces=_mapping(decode("spaces")),
        preprocessing=_steps(decode("preprocessing")),
        postprocessing=_steps(decode("postprocessing")),
        training_state=decode("training_state"),
        notes=tuple(notes),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _steps(value: object) -> tuple[Mapping[str, object], ...]:
    return tuple(step for step in value if isinstance(step, Mapping)) if isinstance(value, list) else ()
