"""Say what a checkpoint is and holds."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from ckptkit import checks
from ckptkit.api.reading import PathLike, level_of, read
from ckptkit.api.spreading import Known, each
from ckptkit.errors import CkptkitError, UnknownVersionError
from ckptkit.model import levels
from ckptkit.model.checkpoint import Checkpoint, Note
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.recovered import Hints
from ckptkit.model.results import Inspection, TensorRow
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in

NOT_UNDERSTOOD = frozenset({"CK203", "CK204"})
"""Rules whose violation leaves the meaning of everything else in a manifest open."""


def inspect(
    path: PathLike, *, input_shape: tuple[int, ...] | None = None, assume: Sequence[str] = ()
) -> Inspection:
    """Say what a checkpoint is and holds, without reading its tensor bytes.

    Args:
        path: Any supported checkpoint or bundle.
        input_shape: Shape of one observation, for an architecture that the file cannot tell.
        assume: Names of profiles that may supply what the file cannot tell.

    Raises:
        CkptkitError: As `read`.
    """
    checkpoint = read(path)
    findings = checks.run(checkpoint, min(1, levels.claimed(checkpoint)))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    for error in errors:
        if error.code in NOT_UNDERSTOOD:
            raise UnknownVersionError(f"{error.code} {error.message}", where=error.path, fix=error.fix)
    level, lacks = levels.reached(checkpoint, findings, 1, level_of)
    manifest = (checkpoint.bundle.manifest if checkpoint.bundle else None) or {}
    architecture, recovered = _architecture(checkpoint, Hints(input_shape, tuple(assume)))
    return Inspection(
        path=os.fspath(path),
        format=checkpoint.format,
        format_version=checkpoint.format_version,
        container=checkpoint.container,
        verdict=checkpoint.verdict,
        level=level,
        next_level=lacks,
        bytes=sum(file.source.size for file in checkpoint.files if file.role != "wrapper"),
        content_digest=str(manifest.get("content_digest", "")),
        tensors=_rows(checkpoint.tensors.items()),
        training_tensors=_rows(tensors_in(checkpoint.training_state).items()),
        spaces=checkpoint.spaces,
        architecture=architecture,
        recovery=recovered,
        model_config=checkpoint.model_config,
        training_info=checkpoint.training_info,
        preprocessing=checkpoint.preprocessing,
        code=checkpoint.code,
        globals=checkpoint.globals,
        dropped=checkpoint.dropped,
        notes=_notes(checkpoint, errors),
    )


def inspect_each(
    paths: Iterable[PathLike | Known[Inspection | CkptkitError]],
    *,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
    jobs: int = 1,
) -> Iterator[Inspection | CkptkitError]:
    """Say of each checkpoint what it is and holds, in the order of the paths, or why that cannot be said.

    Args:
        paths: Checkpoints and bundles; directories of them are not searched. What is known of one already
            may stand in its place.
        input_shape: As for `inspect`.
        assume: As for `inspect`.
        jobs: Processes to use, which may import the calling program anew (it needs its `__main__` guard); 0
            for one a core where there are many checkpoints.
    """
    work = partial(_inspected, input_shape=input_shape, assume=tuple(assume))
    for _, found in each(work, paths, jobs):
        yield found


def _inspected(
    path: PathLike, *, input_shape: tuple[int, ...] | None, assume: Sequence[str]
) -> Inspection | CkptkitError:
    try:
        return inspect(path, input_shape=input_shape, assume=assume)
    except CkptkitError as error:
        return error


def _notes(checkpoint: Checkpoint, errors: Sequence[Finding]) -> tuple[Note, ...]:
    """Return what readers noticed and what is an error, each once."""
    found = tuple(Note("finding", f"{error.code} {error.message}", error.location) for error in errors)
    said = {error.message for error in errors}
    return tuple(note for note in checkpoint.notes if note.message not in said) + found


def _architecture(checkpoint: Checkpoint, hints: Hints) -> tuple[object, object]:
    """Return what a manifest says of the network, else what recovery finds with what the user vouches for."""
    manifest = (checkpoint.bundle.manifest if checkpoint.bundle is not None else None) or {}
    stated = manifest.get("architecture"), manifest.get("recovery")
    if stated[0] is not None or (checkpoint.bundle is not None and hints == Hints()):
        return stated
    if checkpoint.verdict is Verdict.UNSAFE:
        return None, None
    from ckptkit import recovery

    found = recovery.recover(checkpoint, hints)
    return found.architecture(), found.report()


def _rows(tensors: Iterable[tuple[str, Tensor]]) -> tuple[TensorRow, ...]:
    owners: dict[tuple[object, ...], str] = {}
    rows = []
    for name, tensor in tensors:
        owner = owners.setdefault(tensor.identity, name)
        alias = "" if owner == name else owner
        rows.append(TensorRow(name, tensor.dtype.name, tensor.shape, tensor.nbytes, alias))
    return tuple(rows)
