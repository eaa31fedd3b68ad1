"""What recovery says: a value per field with how sure it is, and the graph where it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ckptkit.model.architecture import Graph, Layer
from ckptkit.model.tree import to_json

ARCHITECTURE = "architecture-1.0"
"""Name of the schema that the `architecture` object follows."""


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
class Hints:
    """What the user vouches for, because no file says it.

    Attributes:
        input_shape: Shape of one observation, without the batch.
        assume: Names of profiles whose defaults may be taken.
    """

    input_shape: tuple[int, ...] | None = None
    assume: tuple[str, ...] = ()


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
        parts: Layers that are proven by themselves, without inputs, where the wiring is open.
    """

    family: str
    config: Mapping[str, Field] = field(default_factory=dict)
    graph: Graph | None = None
    unexplained: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    parts: tuple[Layer, ...] = ()

    def architecture(self) -> dict[str, object] | None:
        """Return the manifest's `architecture` object; None without a graph."""
        if self.graph is None:
            return None
        return {
            "schema": ARCHITECTURE,
            "family": self.family,
            "config": {name: to_json(found.value) for name, found in self.config.items()},
            "graph": self.graph.to_json(),
        }

    def report(self) -> dict[str, object]:
        """Return the manifest's `recovery` object; `parts` is there where there are any."""
        parts = {"parts": Graph({}, self.parts, {}).to_json()["layers"]} if self.parts else {}
        return {
            "family": self.family,
            "fields": {
                name: {
                    "value": to_json(found.value),
                    "status": str(found.status),
                    "evidence": list(found.evidence),
                    "alternatives": [to_json(other) for other in found.alternatives],
                }
                for name, found in self.config.items()
            },
            "assumed": list(self.assumed),
            "questions": list(self.questions),
            "unexplained": list(self.unexplained),
            **parts,
        }
