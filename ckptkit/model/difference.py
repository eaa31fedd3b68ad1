"""What `diff` returns: everything in which two checkpoints differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ckptkit.model.results import TensorRow


class Change(StrEnum):
    """How one thing of B stands to that of A."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that differs.

    Attributes:
        place: JSON pointer.
        before: JSON data of A; None where `change` is `ADDED`.
        after: JSON data of B; None where `change` is `REMOVED`.
    """

    place: str
    change: Change
    before: object = None
    after: object = None


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One layer of the graph that differs.

    Attributes:
        before: The layer as the manifest spells it; None where `change` is `ADDED`.
        after: Likewise; None where `change` is `REMOVED`.
    """

    name: str
    change: Change
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far two tensors of one shape are apart, in float64.

    Positions at which a value of either is no finite number count in `elements` and `not_finite`
    alone; two NaN are equal there, and so are two equal infinities.

    Attributes:
        elements: Positions at which the values differ. 0 where bits alone do (-0.0, a NaN's payload), or
            the type alone.
        total: All positions.
        not_finite: Those of `elements` at which one is NaN or infinite.
        norm: Euclidean norm of B - A.
        largest: Largest |B - A|.
        cosine: Of the angle between A and B; None where one of them is 0.
    """

    elements: int
    total: int
    not_finite: int
    norm: float
    largest: float
    cosine: float | None


@dataclass(frozen=True, slots=True)
class TensorChange:
    """One tensor that both have, with other bytes, type or shape.

    Attributes:
        distance: None where the shapes differ.
    """

    name: str
    before: TensorRow
    after: TensorRow
    distance: Distance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """In which tensors two checkpoints differ.

    Attributes:
        renamed: Names in A and B of tensors that have the same type, shape and bytes.
        same: Number of those that are equal and have one name.
    """

    added: tuple[TensorRow, ...] = ()
    removed: tuple[TensorRow, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    changed: tuple[TensorChange, ...] = ()
    same: int = 0

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return not (self.added or self.removed or self.renamed or self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that `diff` says of two checkpoints.

    Attributes:
        a: Path of the first.
        b: Path of the second.
        formats: Ids of their readers; another format alone is no difference.
        fields: Of what they say of themselves: spaces, training, configuration, steps around the network.
        config: Of the architecture's own fields.
        layers: Of its graph.
        model: Of the state dict.
        training: Of the tensors of the training state.
    """

    a: str
    b: str
    formats: tuple[str, str]
    fields: tuple[FieldChange, ...]
    config: tuple[FieldChange, ...]
    layers: tuple[LayerChange, ...]
    model: Tensors
    training: Tensors

    @property
    def equal(self) -> bool:
        """Whether they hold the same."""
        return not (self.fields or self.config or self.layers) and self.model.equal and self.training.equal
