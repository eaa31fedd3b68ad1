"""MettaAgent: the default brain, and the plain policies of its tutorials.

Weights prove every size. Which embeddings are the actions they say only where `active_indices` is filled,
and what an action is called never; strides, activations and the order of the components come
from pickled modules, else from profile `metta`.
"""

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.recovery import Family
from ckptkit.recovery.canonical import canonical
from ckptkit.recovery.metta import brain, plain, reading
from ckptkit.recovery.metta.placing import placed
from ckptkit.recovery.relations import Misfit, UnlikeError, fits

NAME = "metta"


def _read(checkpoint: Checkpoint) -> reading.Reading | plain.Reading:
    """Compare a state dict with the brains where it has a `_core_`, else with the plain policies."""
    tensors = checkpoint.tensors
    if any(name.endswith(reading.ANCHORS) for name in tensors):
        return reading.read(placed(tensors, reading.ANCHORS))
    return plain.read(placed(tensors, plain.ANCHORS))


def why_not(checkpoint: Checkpoint) -> Misfit | None:
    """Return the first relation that keeps a checkpoint from being of this family; None where all hold."""
    try:
        _read(checkpoint)
    except UnlikeError as error:
        return error.explained(canonical(checkpoint.tensors))
    return None


def claims(checkpoint: Checkpoint) -> bool:
    """Whether all relations of the family hold."""
    return fits(lambda: _read(checkpoint))


def recover(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return the architecture of a checkpoint that the family claims."""
    found = _read(checkpoint)
    if isinstance(found, plain.Reading):
        return plain.recover(NAME, found, checkpoint, hints)
    return brain.recover(NAME, found, checkpoint, hints)


FAMILY = Family(NAME, claims, recover, why_not)
