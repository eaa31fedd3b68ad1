"""What recovery says: a value per field with how sure it is, and the graph where it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ckptkit.model.architecture import Graph


class Status(StrEnum):
    """How sure a field is.

    `PROVEN`: the file states it or its shapes leave no other; `CONSTRAINED`: the alternatives are
    all there are; `ASSUMED`: a named profile's word; `UNKNOWN`: nothing says it.
    """

    PROVEN = "proven"
    CONSTRAINED = "constrained"
    ASSUMED = "assumed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Field:
    """One hyper-parameter.

    Attributes:
        value: Plain JSON data; None where unknown.
        evidence: Tensor names, places in the file, or the profile that says it.
        alternatives: Other values that fit as well.
    """

    value: object
    status: Status
    evidence: tuple[str, ...] = ()
    alternatives: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The architecture of a checkpoint as far as it can be known.

    Attributes:
        family: Name of the family that claims it; empty where none does.
        config: The family's fields, in its own order.
        graph: None while a field that affects outputs is unknown, or assumed by nobody's word.
        unexplained: Tensors that no layer uses.
        questions: What keeps the graph from being built, one line each with the flag that settles it.
        assumed: Fields that a profile supplied, one line each.
    """

    family: str
    config: Mapping[str, Field] = field(default_factory=dict)
    graph: Graph | None = None
    unexplained: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
