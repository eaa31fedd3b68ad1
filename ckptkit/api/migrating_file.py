"""Migrate one file: what it is is read again each time, so that a run can be killed and begun anew."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from ckptkit.api.converting import convert
from ckptkit.api.preparing import refuse_unfit
from ckptkit.api.reading import read
from ckptkit.api.validating import validate
from ckptkit.errors import (
    CkptkitError,
    InaccessibleError,
    IntegrityError,
    NotACheckpointError,
    TargetExistsError,
)
from ckptkit.model.checkpoint import EXPORTED, Checkpoint, Note
from ckptkit.model.finding import Severity
from ckptkit.model.manifest import carried
from ckptkit.model.migration import Fate, Migrated
from ckptkit.model.results import Receipt
from ckptkit.storage.locks import exclusive
from ckptkit.storage.replacing import (
    backup_of,
    new_of,
    refuse_other_backup,
    step_aside,
    take_place,
    waiting,
)
from ckptkit.storage.swap import put_in_place
from ckptkit.writers.origin import Origin

DIRECTORY = "deploy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file to migrate.

    Attributes:
        path: The file, or a bundle directory.
        target: Where its bundle shall be; `path` itself where it keeps its name.
        to: Id of the writer.
        in_place: Whether the bundle takes the place of the file.
        refusal: Why it must not be migrated, whatever it holds; may be empty.
        searched: Whether it was found in a directory, and not named.
    """

    path: Path
    target: Path
    to: str
    in_place: bool
    backup: bool = True
    dry_run: bool = False
    input_shape: tuple[int, ...] | None = None
    assume: tuple[str, ...] = ()
    refusal: str = ""
    searched: bool = False


def migrate_file(job: Job) -> Migrated:
    """Carry out one job; what goes wrong is part of the result."""
    try:
        with exclusive(job.path):
            return _migrated(job) if os.path.lexists(job.path) else _gone(job)
    except CkptkitError as error:
        return _ended(job, error)
    except OSError as error:
        return _ended(job, InaccessibleError(f"cannot be read: {error.strerror}", where=str(job.path)))


def _gone(job: Job) -> Migrated:
    """Say what became of a file that was there when the tree was listed."""
    if job.in_place and job.path != job.target and job.target.exists():
        return _result(job, Fate.CURRENT, target=str(job.target), notes=("another run migrated it",))
    raise InaccessibleError("went away while its folder was being migrated", where=str(job.path))


def _ended(job: Job, error: CkptkitError) -> Migrated:
    place = error.where.removeprefix(str(job.path)).lstrip(":/")
    reason = f"{place}: {error.what}" if place else error.what
    if isinstance(error, NotACheckpointError):
        return _result(job, Fate.NO_CHECKPOINT, reason=reason)
    refused = error.exit_code == 1 or isinstance(error, TargetExistsError)
    return _result(job, Fate.REFUSED if refused else Fate.FAILED, reason=reason, fix=error.fix)


def _result(job: Job, fate: Fate, **facts: object) -> Migrated:
    return replace(Migrated(path=str(job.path), fate=fate), **facts)  # type: ignore[arg-type]


def _migrated(job: Job) -> Migrated:
    checkpoint = read(job.path)
    refuse_unfit(checkpoint)
    if not (checkpoint.tensors or checkpoint.training_state or checkpoint.training_info):
        reason = f"a {checkpoint.format} file with neither weights nor anything of a training"
        return _result(job, Fate.NO_CHECKPOINT, format=checkpoint.format, reason=reason)
    if job.searched and checkpoint.format == EXPORTED:
        reason = "an exported graph, which programs look for by its name; give its own path to migrate it"
        return _result(job, Fate.NO_CHECKPOINT, format=checkpoint.format, reason=reason)
    if job.in_place and is_current(checkpoint, job.to):
        return _result(job, Fate.CURRENT, format=checkpoint.format, target=str(job.path))
    if job.refusal:
        raise TargetExistsError(job.refusal, where=str(job.path), fix="rename one of them")
    if job.in_place and job.backup:
        refuse_other_backup(job.path)
    if job.path != job.target and os.path.lexists(job.target):
        return _found(job, checkpoint)
    receipt = _in_place(job) if job.in_place else _convert(job, job.target)
    return _receipt(job, checkpoint, receipt)


def is_current(checkpoint: Checkpoint, to: str) -> bool:
    """Whether a checkpoint is a version 2 bundle that `to` asks for, or more than that."""
    bundle = checkpoint.bundle
    return bundle is not None and (to != DIRECTORY or bundle.encoding == DIRECTORY)


def _found(job: Job, checkpoint: Checkpoint) -> Migrated:
    """Finish what an earlier run began, if what stands at the target is its bundle."""
    if not _made_from(job.target, checkpoint):
        raise TargetExistsError(
            f"{job.target} exists already and was not made from this file",
            where=str(job.path),
            fix="move one of them away",
        )
    facts: dict[str, object] = {"format": checkpoint.format, "target": str(job.target)}
    if not job.in_place:
        return _result(job, Fate.CURRENT, **facts)
    _examine(job.target)
    if not job.dry_run:
        step_aside(job.path, job.target, backup=job.backup)
    backup = str(backup_of(job.path)) if job.backup else ""
    notes = ("its bundle was there already, from a run that did not end",)
    return _result(job, Fate.CONVERTED, backup=backup, notes=notes, **facts)


def _made_from(target: Path, checkpoint: Checkpoint) -> bool:
    """Whether the bundle at `target` names the very files of `checkpoint` as its source."""
    try:
        found = read(target)
    except CkptkitError:
        return False
    with Origin(checkpoint) as origin:
        wanted = origin.lineage()
    recorded = carried(found).get("lineage")
    before = carried(checkpoint).get("content_digest")
    same = before is None or carried(found).get("content_digest") == before
    return same and isinstance(recorded, dict) and recorded.get("files") == wanted["files"]


def _in_place(job: Job) -> Receipt:
    """Write the bundle beside the file, read it back, and only then let it take the file's place."""
    if job.dry_run:
        return _convert(job, new_of(job.target))
    with waiting(job.target) as new:
        receipt = _convert(job, new)
        _examine(new)
        if job.path == job.target:
            take_place(job.path, new, backup=job.backup)
        else:
            put_in_place(new, job.target, replace=False)
            step_aside(job.path, job.target, backup=job.backup)
    return receipt


def _convert(job: Job, output: Path) -> Receipt:
    return convert(
        job.path, job.to, output, dry_run=job.dry_run, input_shape=job.input_shape, assume=job.assume
    )


def _examine(bundle: Path) -> None:
    """Read a bundle back before its source goes.

    Raises:
        IntegrityError: It is not what was written.
    """
    (result,) = validate(bundle).results
    errors = [found for found in result.findings if found.severity is Severity.ERROR]
    if errors or result.incomplete:
        why = f"{errors[0].code} {errors[0].message}" if errors else result.incomplete
        raise IntegrityError(f"its bundle does not read back as written: {why}", where=str(bundle))


def _receipt(job: Job, checkpoint: Checkpoint, receipt: Receipt) -> Migrated:
    folder = job.path if job.path.is_dir() else job.path.parent
    beside = checkpoint.files[1:] if checkpoint.bundle is None else ()
    return _result(
        job,
        Fate.CONVERTED,
        target=str(job.target),
        backup=str(backup_of(job.path)) if job.in_place and job.backup else "",
        format=checkpoint.format,
        level=receipt.level,
        content_digest=receipt.written.content_digest if receipt.written else "",
        sidecars=tuple(str(folder / file.path) for file in beside),
        notes=tuple(_note(note) for note in receipt.notes),
    )


def _note(note: Note) -> str:
    return f"{note.location}: {note.message}" if note.location else note.message
