"""What a bundle will hold, settled before a byte is written: names, owners, aliases, trees."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ckptkit.errors import UnsupportedTensorError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import MODEL, TRAINING, carried
from ckptkit.model.refusals import check_name
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import encoded


@dataclass(frozen=True, slots=True)
class Planned:
    """One tensor of the bundle.

    Attributes:
        name: Name it is stored under.
        role: `model` or `training`.
        tensor: Where its bytes are read.
        alias_of: Name of the tensor whose bytes it shares; empty for an owner.
    """

    name: str
    role: str
    tensor: Tensor
    alias_of: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The tensors of a bundle and the training state that refers to them.

    Attributes:
        tensors: Model tensors by name, then training tensors by name.
        training_state: The tree as JSON data; `$tensor` names are those of `tensors`.
    """

    tensors: tuple[Planned, ...]
    training_state: object

    def owners(self, role: str) -> tuple[Planned, ...]:
        """Return the tensors of a role that have bytes of their own, by name."""
        return tuple(planned for planned in self.tensors if planned.role == role and not planned.alias_of)


def plan(checkpoint: Checkpoint) -> Plan:
    """Settle what a bundle made from `checkpoint` holds.

    Tensors that are the same view of one storage become one owner and its aliases. The owner is
    the first in the order of the file, except that a v2 source keeps the owners that it has.

    Raises:
        UnsupportedTensorError: A name cannot be written.
    """
    tree, training = encoded(checkpoint.training_state)
    for name in sorted(training.keys() & checkpoint.tensors.keys()):
        raise UnsupportedTensorError(f"a model tensor and a training tensor are both named {name!r}")
    former = frozenset(_former_aliases(checkpoint))
    model = _planned(checkpoint.tensors, MODEL, former)
    return Plan((*model, *_planned(training, TRAINING, former)), tree)


def _former_aliases(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield the names that a v2 source calls aliases."""
    rows = carried(checkpoint).get("tensors")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and row.get("alias_of"):
            yield str(row["name"])


def _planned(tensors: Mapping[str, Tensor], role: str, former: frozenset[str]) -> list[Planned]:
    owners: dict[tuple[object, ...], str] = {}
    for name in sorted(tensors, key=lambda name: name in former):
        check_name(name)
        owners.setdefault(tensors[name].identity, name)
    planned = []
    for name in sorted(tensors):
        owner = owners[tensors[name].identity]
        planned.append(Planned(name, role, tensors[name], "" if owner == name else owner))
    return planned
