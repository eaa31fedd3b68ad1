"""From the inert contents of a torch file to a checkpoint: what all torch readers share."""

from collections.abc import Callable

from ckptkit.errors import CkptkitError
from ckptkit.model.bundle import BundleFacts
from ckptkit.model.checkpoint import Checkpoint, Note, SourceFile
from ckptkit.model.contents import Contents
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import CodeFact
from ckptkit.model.torch_layout import WITH_OBJECTS
from ckptkit.storage.probe import Probe
from ckptkit.storage.torch_file import TorchFile

PACKAGE = "torch-package"
"""The container that is made to carry code."""
_OBJECT_KINDS = frozenset(("instance", "reference"))


def has_layout(probe: Probe, wanted: str) -> bool:
    """Whether `probe` is a torch file whose root has the layout `wanted`."""
    return probe.torch_layout == wanted


def read_torch(
    probe: Probe,
    reader: str,
    sort: Callable[[object], Contents],
    *,
    version: str | None = None,
    bundle: BundleFacts | None = None,
) -> Checkpoint:
    """Make the checkpoint of a torch file.

    Args:
        probe: One for which `has_layout` holds.
        reader: Id of the reader.
        sort: Sorts the root of the file.
        version: Version that the file states.
        bundle: Facts of a v2 encoding.

    Raises:
        CkptkitError: Whatever `sort` raises, with the file named. Not where the pickle is unsafe:
            that verdict must be seen, and nothing of such a file is converted.
    """
    torch = probe.torch
    if torch is None:
        raise TypeError("not a torch file")
    found = _sorted(probe, torch, sort)
    return Checkpoint(
        path=str(probe.path),
        format=reader,
        format_version=version,
        container=torch.container,
        files=(SourceFile(probe.path.name, "weights", probe.source),),
        tensors=found.tensors,
        training_state=found.training_state,
        model_config=found.model_config,
        training_info=found.training_info,
        verdict=torch.verdict,
        code=torch.code,
        globals=torch.globals,
        dropped=found.dropped,
        notes=found.notes,
        carries_code=may_carry(torch, reader),
        bundle=bundle,
    )


def _sorted(probe: Probe, torch: TorchFile, sort: Callable[[object], Contents]) -> Contents:
    try:
        return sort(torch.root)
    except CkptkitError as error:
        if torch.verdict is Verdict.UNSAFE:
            return Contents({}, notes=(Note("unread", f"tensors were not read: {error.what}", error.where),))
        error.where = ":".join(filter(None, (str(probe.path), error.where)))
        raise


def may_carry(torch: TorchFile, layout: str) -> bool:
    """Whether a torch file of that layout is known to carry the code that this one carries."""
    return torch.container == PACKAGE or (layout in WITH_OBJECTS and only_objects(torch.code))


def only_objects(code: tuple[CodeFact, ...]) -> bool:
    """Whether nothing but instances and names of foreign classes is among the code."""
    return all(fact.kind in _OBJECT_KINDS for fact in code)
