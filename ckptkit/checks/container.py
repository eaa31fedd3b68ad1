"""CK311: whether a torch dict is a container of the one form that leaves no byte uncovered."""

from collections.abc import Iterator

from ckptkit.checks import Rule
from ckptkit.checks.contents import held_tensors
from ckptkit.checks.view import DEPLOY, bundle_of, tensor_entries
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.tensor import Tensor, contiguous_strides
from ckptkit.storage.canonical_zip import deviations
from ckptkit.storage.zip import ZipArchive

FIX = "convert it again; nothing of the weights is lost by that"


def check_container(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report what in a torch dict lies outside of all digests and is not as it must be."""
    bundle = bundle_of(checkpoint)
    if bundle is None or bundle.encoding == DEPLOY:
        return
    yield from _check_storages(checkpoint)
    for file in checkpoint.files[:1]:
        try:
            found = deviations(ZipArchive.open(file.source))
        except UnreadableCheckpointError as error:
            found = (error.what,)
        for message in found:
            yield Finding("CK311", Severity.ERROR, message, checkpoint.path, fix=FIX)


def _check_storages(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Report tensors that do not fill a storage of their own, so that bytes lie in none."""
    owners = {entry.name for entry in tensor_entries(checkpoint) if not entry.alias_of}
    first: dict[int, str] = {}
    for name, tensor in sorted(held_tensors(checkpoint).items()):
        if name not in owners:
            continue
        problem = _storage_problem(tensor)
        owner = first.setdefault(id(tensor.storage), name)
        if owner != name:
            problem = f"shares the storage of {owner} and is no alias of it"
        if problem:
            message = f"tensor {name} {problem}"
            yield Finding("CK311", Severity.ERROR, message, checkpoint.path, name, FIX)


def _storage_problem(tensor: Tensor) -> str:
    if tensor.storage.big_endian:
        return "is stored big-endian"
    if tensor.offset or tensor.strides != contiguous_strides(tensor.shape):
        return "is not laid out row by row from the start of its storage"
    if tensor.storage.source.size != tensor.nbytes:
        return f"has {tensor.nbytes:,} of the {tensor.storage.source.size:,} bytes in its storage"
    return ""


RULES = (
    Rule(
        "CK311",
        "container-form",
        Severity.ERROR,
        2,
        "The zip container of a v2 torch dict is not of the one form that the specification allows.",
        "Digests cover the tensors and the pickle. Names, order, padding, dates and flags of a zip lie "
        "outside of them; with one allowed form for each, no byte of the file can change unnoticed.",
        "Convert again; a file that `torch.save` wrote anew is no longer a verifiable bundle.",
        musts=("TOR-006", "TOR-007"),
        check=check_container,
    ),
)
