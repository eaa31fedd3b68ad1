"""Build the layers of a network that are known, though the network is not."""

from typing import TYPE_CHECKING

from ckptkit import recovery
from ckptkit.api.loading import refuse_damaged
from ckptkit.api.preparing import refuse_unfit
from ckptkit.api.reading import PathLike, read
from ckptkit.checks.view import restore_hint
from ckptkit.model import extras
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints
from ckptkit.recovery import generic

if TYPE_CHECKING:
    from ckptkit.graph.torch_module import GraphModule


def load_parts(path: PathLike) -> "dict[str, GraphModule]":
    """Build each layer of a checkpoint that is proven by itself, with its weights.

    Where the wiring of a network stays open, single layers of it may still be known to the last attribute
    that affects what they compute: Linear, NoisyLinear, LSTM and GRU.

    Args:
        path: Any supported checkpoint or bundle.

    Returns:
        By module path a `torch.nn.Module` in evaluation mode, whose `state_dict()` has the source's names.
        It takes `x` of (batch, features), recurrent ones one step of it and states `h` and `c` of (layers,
        batch, hidden) too, and gives a mapping with `y`, `next_h` and `next_c`. Empty where a family
        claims the checkpoint: `load` builds that network as a whole.

    Raises:
        IntegrityError: A tensor, or the manifest, differs from its digest.
        MissingExtraError: torch is not installed.
        CkptkitError: As `read`.
    """
    extras.require("torch", "loading parts of a network")
    from ckptkit.graph import torch_module
    from ckptkit.graph.shapes import join
    from ckptkit.graph.torch_tensors import state_dict

    checkpoint = read(path)
    refuse_unfit(checkpoint)
    refuse_damaged(checkpoint)
    found: dict[str, GraphModule] = {}
    for part in recovery.recover(checkpoint, Hints()).parts:
        module = torch_module.empty(generic.alone(part))
        owned = [join(part.name, name) for step in module.steps for name in step.kind.parameters(step.attrs)]
        values = state_dict(
            {name: checkpoint.tensors[name] for name in owned if name in checkpoint.tensors},
            "cpu",
            digests=bool(carried(checkpoint)),
            where=checkpoint.path,
            fix=restore_hint(checkpoint),
        )
        module.fill(values)
        found[part.name] = module.eval()
    return found
