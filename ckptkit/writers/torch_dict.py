"""The v2 torch dict: one file that torch opens by itself, written without torch."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ckptkit.model import manifest as form
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import MODEL, TRAINING
from ckptkit.model.results import Written
from ckptkit.model.tensor import Tensor
from ckptkit.model.torch_tree import to_torch
from ckptkit.storage.atomic import new_file
from ckptkit.storage.canonical_zip import CONSTANTS, DIGEST, PICKLE, ROOT
from ckptkit.version import SPEC_VERSION
from ckptkit.writers import Writer, copying
from ckptkit.writers.assembly import Stored, assemble, listed
from ckptkit.writers.copying import Copy, FileHash, Hashing
from ckptkit.writers.deployable import reach_described
from ckptkit.writers.origin import Origin, sources
from ckptkit.writers.plan import Plan, Planned, plan
from ckptkit.writers.torch_pickle import TensorRef, dumps
from ckptkit.writers.zip_out import ZipOut


def write(checkpoint: Checkpoint, target: Path, force: bool) -> Written:
    """Write a v2 torch dict.

    Args:
        checkpoint: What to write.
        target: File to make.
        force: Whether a file that stands there is replaced.

    Raises:
        IntegrityError: A tensor's bytes differ from what the source records.
        CkptkitError: As `plan` and `new_file`.
    """
    planned = plan(checkpoint)
    owners = (*planned.owners(MODEL), *planned.owners(TRAINING))
    with (
        Origin(checkpoint) as origin,
        new_file(target, force=force, sources=sources(checkpoint)) as output,
        FileHash(output) as whole,
    ):
        archive = ZipOut(output)
        copies = _write_tensors(archive, owners, whole)
        copying.verify(copies)
        stored = {(made.planned.role, made.planned.name): Stored(made.sha256) for made in copies}
        tensors = listed(checkpoint, planned, stored)
        bundle = assemble(checkpoint, planned, tensors, origin.lineage())
        form.render(bundle.manifest)  # refuses here what a directory's manifest could not hold
        pickle = dumps(_root(checkpoint, planned, owners, bundle.manifest))
        members = {PICKLE: pickle, **CONSTANTS, DIGEST: f"{hashlib.sha256(pickle).hexdigest()}\n".encode()}
        for name, data in members.items():
            archive.add(ROOT + name, data)
        archive.end()
        file = (target.name, output.size, whole.sha256())
    return bundle.written(target, [file])


def _write_tensors(archive: ZipOut, owners: tuple[Planned, ...], whole: FileHash) -> list[Copy]:
    with Hashing() as hashing:
        return [
            archive.add_tensor(f"{ROOT}data/{number}", planned, hashing, whole.settle)
            for number, planned in enumerate(owners)
        ]


def _root(
    checkpoint: Checkpoint, plan: Plan, owners: tuple[Planned, ...], manifest: Mapping[str, object]
) -> dict[str, object]:
    """Return the dict that torch will read; tensors that share bytes share a storage."""
    keys = {(planned.role, planned.name): str(number) for number, planned in enumerate(owners)}
    training = {p.tensor.identity: keys[p.role, p.name] for p in owners if p.role == TRAINING}

    def ref(tensor: Tensor) -> TensorRef:
        return TensorRef(training[tensor.identity], tensor.dtype, tensor.shape)

    root: dict[str, object] = {
        "version": SPEC_VERSION,
        "model_state_dict": {
            p.name: TensorRef(keys[MODEL, p.alias_of or p.name], p.tensor.dtype, p.tensor.shape)
            for p in plan.tensors
            if p.role == MODEL
        },
        "model_config": to_torch(checkpoint.model_config),
        "training_info": to_torch(checkpoint.training_info),
    }
    if checkpoint.training_state is not None:
        root["training_state"] = to_torch(checkpoint.training_state, ref)
    return root | {"ckpt": manifest}


WRITER = Writer("v2", "one file: a versioned torch dict with its manifest inside", write, reach_described)
