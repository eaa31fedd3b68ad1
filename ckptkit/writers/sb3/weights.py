"""The policy's state dict under the names that today's SB3 has for it.

Before 1.7, actor-critic policies named one extractor where today three names share it; before 1.8
their networks could share layers, which today is two networks with the same weights; ARS's linear
policy was a bare layer before 1.7. Sources: the changelogs of stable-baselines3 1.7 and 1.8 and of
sb3-contrib 1.7; `common/policies.py` and `common/torch_layers.py` at v1.6.2 and v2.9.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ckptkit.errors import NotExportableError
from ckptkit.model.tensor import Tensor
from ckptkit.writers.sb3.changes import Changes

ACTOR_CRITIC = ("PPO", "A2C", "TRPO", "MaskablePPO", "RecurrentPPO")
_EXTRACTORS = ("pi_features_extractor.", "vf_features_extractor.")
_EXTRACTOR = "features_extractor."
_SHARED = "mlp_extractor.shared_net."
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "ra_mean", "ra_var", "steps")


@dataclass(frozen=True, slots=True)
class Weights:
    """The state dict to write, and what its names tell.

    Attributes:
        tensors: In the order of the names.
        duplicated: How many parameters now stand twice, each with its own future.
    """

    tensors: Mapping[str, Tensor]
    duplicated: int = 0

    def widths(self, prefix: str) -> list[int]:
        """Return the output widths of the linear layers `<prefix>.<number>`, in order."""
        found = []
        for name, tensor in self.tensors.items():
            number = name.removeprefix(f"{prefix}.").removesuffix(".weight")
            if name == f"{prefix}.{number}.weight" and number.isdecimal() and len(tensor.shape) == 2:
                found.append((int(number), tensor.shape[0]))
        return [width for _, width in sorted(found)]

    def networks(self, prefix: str) -> int:
        """Return how many numbered networks `<prefix><number>` there are."""
        numbers = {name.removeprefix(prefix).partition(".")[0] for name in self.tensors}
        return sum(number.isdecimal() for number in numbers)

    def shares(self, prefix: str, other: str) -> bool | None:
        """Return whether two modules are one; None where they have no tensors."""
        names = [name for name in self.tensors if name.startswith(prefix)]
        if not names:
            return None
        partners = [self.tensors.get(other + name.removeprefix(prefix)) for name in names]
        own = [self.tensors[name].identity for name in names]
        return own == [partner.identity if partner else None for partner in partners]

    def parameters(self, prefix: str) -> int:
        """Return how many parameters stand below `prefix`, as far as names tell buffers apart."""
        names = (name for name in self.tensors if name.startswith(prefix))
        return sum(name.rpartition(".")[2] not in _BUFFERS for name in names)


def rename(tensors: Mapping[str, Tensor], algorithm: str, changes: Changes) -> Weights:
    """Return the state dict as today's SB3 names it; every tensor keeps its bytes."""
    made, duplicated = dict(tensors), 0
    if algorithm in ACTOR_CRITIC:
        _split_extractor(made, changes)
        duplicated = _split_networks(made, changes)
    if algorithm == "ARS":
        for part in ("weight", "bias"):
            if f"action_net.{part}" in made:
                made[f"action_net.0.{part}"] = made.pop(f"action_net.{part}")
                changes.change(f"action_net.{part}: named action_net.0.{part}")
    return Weights({name: made[name] for name in sorted(made)}, duplicated)


def _split_extractor(made: dict[str, Tensor], changes: Changes) -> None:
    """Let the names of the actor's and the critic's extractor share the one that there is."""
    rest = [name.removeprefix(_EXTRACTOR) for name in made if name.startswith(_EXTRACTOR)]
    for prefix in _EXTRACTORS:
        if rest and not any(name.startswith(prefix) for name in made):
            made |= {prefix + name: made[_EXTRACTOR + name] for name in rest}
            changes.change(f"{prefix}*: named beside {_EXTRACTOR}*, the same tensors")


def _split_networks(made: dict[str, Tensor], changes: Changes) -> int:
    """Give each of the two networks a copy of the layers that they shared; return their number."""
    shared = {name.removeprefix(_SHARED): made[name] for name in made if name.startswith(_SHARED)}
    if not shared:
        return 0
    nets = ("policy_net", "value_net")
    prefixes = (_SHARED, *(f"mlp_extractor.{net}." for net in nets))
    for name in made:
        number = next((name.removeprefix(p).partition(".")[0] for p in prefixes if name.startswith(p)), "0")
        if not number.isdecimal():
            raise NotExportableError(f"{name} is no layer of a network that SB3 makes")
    after = max(int(name.partition(".")[0]) for name in shared) + 2
    for net in nets:
        prefix = f"mlp_extractor.{net}."
        own = {name.removeprefix(prefix): made.pop(name) for name in list(made) if name.startswith(prefix)}
        for name, tensor in own.items():
            number, _, part = name.partition(".")
            made[f"{prefix}{int(number) + after}.{part}"] = tensor
        # A copy is a tensor of its own: once training goes on, the two differ.
        copies = {
            f"{prefix}{name}": replace(tensor, storage=replace(tensor.storage))
            for name, tensor in shared.items()
        }
        made |= copies
    for name in shared:
        del made[_SHARED + name]
    changes.change(
        f"{_SHARED}*: today's SB3 shares no layers; policy_net and value_net each begin with a copy, "
        "and give the same outputs"
    )
    return len(shared)
