"""What the tensors of a MettaAgent brain say.

Source: Metta-AI/metta, `agent/src/metta/agent/lib` and `configs/agent/fast.yaml` of 2025
(`spec/legacy/metta-network.md`).
"""

import struct
from dataclasses import dataclass

from ckptkit.recovery.canonical import Canonical
from ckptkit.recovery.metta.units import Core, Unit, chain, core, unit
from ckptkit.recovery.relations import Relations

CORES = ("_core_._net", "_core_.lstm")
ANCHORS = tuple(f"{path}.weight_ih_l0" for path in CORES)
NORMALIZER = "obs_normalizer.obs_norm"
EMBEDDING, INDICES = "_action_embeds_._net", "_action_embeds_.active_indices"
MLP = "_action_._MLP"
MOST_ACTIONS = 1 << 12
MOST_KERNEL = 64


@dataclass(frozen=True, slots=True)
class Head:
    """How actions are scored.

    Attributes:
        big: Whether a small network follows the bilinear form (`MettaActorBig`).
        single: Whether the weight of the form has two axes only.
        rows: Embeddings that there are.
        width: Size of one.
        active: Rows of the actions; None where the file does not say.
    """

    big: bool
    single: bool
    rows: int
    width: int
    active: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One brain as its tensors tell it.

    Attributes:
        names: The state dict.
        normalized: Whether observations are divided by a buffer.
        convolutions: `cnn1`, `cnn2`, …
        encoder: `fc1`, …, `encoded_obs`.
        core: The LSTM.
        critic: `critic_1`, …, `_value_`.
        actor: `actor_1`, …
        places: Places behind the last convolution.
        head: None where the file has none.
        unexplained: Tensors that have no place in the network.
    """

    names: Canonical
    normalized: bool
    convolutions: tuple[Unit, ...]
    encoder: tuple[Unit, ...]
    core: Core
    critic: tuple[Unit, ...]
    actor: tuple[Unit, ...]
    places: int
    head: Head | None
    unexplained: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Layers of the grid that the first convolution takes."""
        return self.convolutions[0].shape[1]

    @property
    def units(self) -> tuple[Unit, ...]:
        """Everything with a weight but the LSTM and the head, in order."""
        return (*self.convolutions, *self.encoder, *self.critic, *self.actor)

    def own(self, name: str) -> str:
        """Return the file's own name of a tensor."""
        return self.names.source[name]


def read(names: Canonical) -> Reading:
    """Compare a state dict with the brains of the family.

    Raises:
        UnlikeError: It is none of them.
    """
    relations = Relations(names)
    convolutions = _convolutions(relations)
    normalized = relations.optional(NORMALIZER, 1, "channels", 1, 1)
    encoder = _linears(relations, [*chain(relations, "fc"), "encoded_obs"], "flat")
    path = next(path for path in CORES if relations.has(f"{path}.weight_ih_l0"))
    lstm = core(relations, path, encoder[-1].shape[0])
    critic = _linears(relations, chain(relations, "critic_"), lstm.hidden)
    value = unit(relations, "_value_", 1, critic[-1].shape[0])
    actor = _linears(relations, chain(relations, "actor_"), lstm.hidden)
    last, flat = convolutions[-1].shape[0], relations.sizes["flat"]
    if flat % last:
        relations.fail(encoder[0].weight, f"{flat} features are no multiple of {last} channels")
    head = _head(relations, actor[-1].shape[0])
    return Reading(
        names=names,
        normalized=normalized,
        convolutions=convolutions,
        encoder=encoder,
        core=lstm,
        critic=(*critic, value),
        actor=actor,
        places=flat // last,
        head=head,
        unexplained=relations.unexplained(),
    )


def _convolutions(relations: Relations) -> tuple[Unit, ...]:
    before, found = "channels", []
    for name in chain(relations, "cnn"):
        found.append(unit(relations, name, name, before, f"{name}.kernel", f"{name}.kernel"))
        if found[-1].shape[-1] > MOST_KERNEL:
            relations.fail(found[-1].weight, f"its kernel is larger than {MOST_KERNEL}")
        before = name
    return tuple(found)


def _linears(relations: Relations, names: list[str], size: int | str) -> tuple[Unit, ...]:
    found = []
    for name in names:
        found.append(unit(relations, name, name, size))
        size = name
    return tuple(found)


def _head(relations: Relations, hidden: int) -> Head | None:
    if not relations.below("_action_") and not relations.below("_action_embeds_"):
        return None
    relations.expect(f"{EMBEDDING}.weight", "rows", "width")
    big = relations.below(MLP)
    single = not big and len(relations.tensor("_action_.W").shape) == 2
    forms: int | str = "forms" if big else 1
    relations.expect("_action_.W", *(() if single else (forms,)), hidden, "width")
    relations.expect("_action_.bias", forms)
    if big:
        relations.layer(f"{MLP}.0", "mlp", "forms")
        relations.layer(f"{MLP}.2", 1, "mlp")
    rows = relations.sizes["rows"]
    return Head(big, single, rows, relations.sizes["width"], _active(relations, rows))


def _active(relations: Relations, rows: int) -> tuple[int, ...] | None:
    """Return the rows that `active_indices` names; None where it is empty or not there."""
    if not relations.has(INDICES):
        return None
    tensor = relations.tensor(INDICES)
    if len(tensor.shape) != 1 or tensor.dtype.name != "I64" or tensor.shape[0] > min(rows, MOST_ACTIONS):
        relations.fail(INDICES, f"{tensor.dtype}{list(tensor.shape)} are no indices of {rows} embeddings")
    values = struct.unpack(f"<{tensor.shape[0]}q", tensor.tobytes())
    if not all(0 <= value < rows for value in values):
        relations.fail(INDICES, f"it names others than the {rows} embeddings")
    return values or None
