"""Build the network of a checkpoint, with its weights."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ckptkit import checks, recovery
from ckptkit.api.preparing import refuse_unfit
from ckptkit.api.reading import PathLike, read
from ckptkit.checks.view import restore_hint
from ckptkit.errors import ArchitectureError, IntegrityError
from ckptkit.graph.document import graph_of
from ckptkit.graph.shapes import misfits
from ckptkit.model import extras
from ckptkit.model.architecture import Graph
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    import torch

    from ckptkit.graph.torch_module import GraphModule

OWN_DIGESTS = ("CK309",)
"""Rules on what vouches for a v2 encoding's manifest; its tensors are compared while they are read."""
OWN_CHECKSUMS = ("CK313",)
"""Rules on the checksums of a legacy file."""


def load(
    path: PathLike,
    *,
    device: "str | torch.device" = "cpu",
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
) -> "GraphModule":
    """Build the network of a checkpoint and load its weights; nothing of the file is executed.

    Args:
        path: Any supported checkpoint or bundle whose architecture is stated, or can be recovered.
        device: Where the parameters go.
        input_shape: Shape of one observation, for an architecture that the file cannot tell.
        assume: Names of profiles that may supply what the file cannot tell.

    Returns:
        A `torch.nn.Module` in evaluation mode. Its `state_dict()` has the source's own names, element
        types and, tensor by tensor, bytes; names that shared a tensor still do. Calling it gives the
        network's outputs by name, `predict` gives actions.

    Raises:
        ArchitectureError: The architecture is not known; the message says which question is open.
        IntegrityError: A tensor, or the manifest, differs from its digest.
        MissingExtraError: torch is not installed.
        CkptkitError: As `read`.
    """
    extras.require("torch", "loading a network")
    checkpoint = read(path)
    refuse_unfit(checkpoint)
    refuse_damaged(checkpoint)
    graph = _graph(checkpoint, Hints(input_shape, tuple(assume)))
    return built(checkpoint, graph, device, order=checkpoint.tensors, spaces=checkpoint.spaces)


def built(
    checkpoint: Checkpoint,
    graph: Graph,
    device: "str | torch.device",
    *,
    tensors: Mapping[str, Tensor] | None = None,
    order: Iterable[str] = (),
    spaces: Mapping[str, object] | None = None,
) -> "GraphModule":
    """Build a graph's module and fill it with a checkpoint's tensors.

    Args:
        checkpoint: What was read.
        graph: Its network.
        device: Where the parameters go.
        tensors: Its tensors under the names of the graph; its own where left out.
        order: Names in the order that the module's parameters shall have.
        spaces: What `predict` goes by.

    Returns:
        The module in evaluation mode.

    Raises:
        ArchitectureError: A tensor does not fit.
        IntegrityError: A tensor differs from the digest that a v2 source records.
    """
    from ckptkit.graph import torch_module
    from ckptkit.graph.torch_tensors import state_dict

    given = checkpoint.tensors if tensors is None else tensors
    module = torch_module.empty(graph, spaces=spaces, order=order)
    for name, problem in misfits(module.steps, given):
        raise ArchitectureError(f"tensor {name}: {problem}", where=checkpoint.path)
    values = state_dict(
        given,
        str(device),
        digests=bool(carried(checkpoint)),
        where=checkpoint.path,
        fix=restore_hint(checkpoint),
    )
    module.fill(values)
    module.eval()
    return module


def refuse_damaged(checkpoint: Checkpoint) -> None:
    """Raise if the bytes are not those that were written, tensors of a v2 encoding left aside."""
    for code in OWN_DIGESTS if checkpoint.bundle is not None else OWN_CHECKSUMS:
        rule = checks.find(code)
        for finding in rule.findings(checkpoint):
            message = f"{finding.code} {finding.location or 'the file'}: {finding.message}"
            raise IntegrityError(message, where=finding.path, fix=finding.fix)


def _graph(checkpoint: Checkpoint, hints: Hints) -> Graph:
    """Return the graph that the manifest states, else the one that is recovered.

    Raises:
        ArchitectureError: Neither is there, or the stated one is not well formed.
    """
    stated = graph_of(checkpoint)
    if stated is not None:
        return stated
    found = recovery.recover(checkpoint, hints)
    if found.graph is None:
        raise ArchitectureError(
            f"the architecture is not known: {'; '.join(found.questions)}",
            where=os.fspath(checkpoint.path),
            fix="give input_shape= or assume= where that settles it; ckptkit.read gives the tensors alone",
        )
    return found.graph
