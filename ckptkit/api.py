"""The pipeline: read, inspect, validate and convert, each a few steps over one checkpoint.

The command line calls exactly these functions; so can any program.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ckptkit import checks, readers, recovery, writers
from ckptkit.errors import (
    CkptkitError,
    InaccessibleError,
    LevelError,
    ManifestError,
    NotACheckpointError,
    PointerError,
    UnknownVersionError,
    UnsafeCheckpointError,
)
from ckptkit.model import levels
from ckptkit.model.checkpoint import Checkpoint, Note
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints
from ckptkit.model.results import Inspection, Receipt, Report, TensorRow, Validation
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in
from ckptkit.storage.probe import Probe
from ckptkit.storage.walk import candidates

PathLike = str | os.PathLike[str]
NOT_CHECKED = (InaccessibleError, NotACheckpointError, PointerError)
NOT_UNDERSTOOD = frozenset({"CK203", "CK204"})
"""Rules whose violation leaves the meaning of everything else in a manifest open."""


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint of any supported format; tensor bytes stay on disk.

    Args:
        path: A file, a bundle directory, or a directory that is one checkpoint.

    Raises:
        NotACheckpointError: Nothing there is a checkpoint.
        UnreadableCheckpointError: It is one, and its bytes break the format's rules.
        UnknownVersionError: It is of a format version that this ckptkit does not know.
        UnsupportedTensorError: It holds a tensor that no bundle can carry.
    """
    probe = Probe(path)
    return readers.find(probe).read(probe)


def find(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the checkpoints at `path`: itself, or all below a directory, in a stable order.

    A file that is no checkpoint is passed over; one that is broken is yielded, since reading
    it says what is wrong.

    Raises:
        NotACheckpointError: There is nothing at `path`.
    """
    root = Path(path)
    if not Probe(root).is_directory:
        yield root
        return
    for candidate in candidates(root, _is_checkpoint):
        if candidate == root or _is_checkpoint(candidate):
            yield candidate


def _is_checkpoint(path: Path) -> bool:
    try:
        readers.find(Probe(path))
    except NotACheckpointError:
        return False
    except CkptkitError:
        return True
    return True


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Say what a checkpoint is and holds, without reading its tensor bytes.

    Raises:
        CkptkitError: As `read`.
    """
    checkpoint = read(path)
    findings = _findings(checkpoint, min(1, levels.claimed(checkpoint)), strict=False)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    for error in errors:
        if error.code in NOT_UNDERSTOOD:
            raise UnknownVersionError(f"{error.code} {error.message}", where=error.path, fix=error.fix)
    level, lacks = levels.reached(checkpoint, findings, 1, _level_of)
    manifest = (checkpoint.bundle.manifest if checkpoint.bundle else None) or {}
    return Inspection(
        path=os.fspath(path),
        format=checkpoint.format,
        format_version=checkpoint.format_version,
        container=checkpoint.container,
        verdict=checkpoint.verdict,
        level=level,
        next_level=lacks,
        bytes=sum(file.source.size for file in checkpoint.files),
        content_digest=str(manifest.get("content_digest", "")),
        tensors=_rows(checkpoint.tensors.items()),
        training_tensors=_rows(tensors_in(checkpoint.training_state).items()),
        spaces=checkpoint.spaces,
        architecture=manifest.get("architecture"),
        model_config=checkpoint.model_config,
        training_info=checkpoint.training_info,
        preprocessing=checkpoint.preprocessing,
        code=checkpoint.code,
        globals=checkpoint.globals,
        dropped=checkpoint.dropped,
        notes=checkpoint.notes + tuple(Note("finding", f"{e.code} {e.message}", e.location) for e in errors),
    )


def _rows(tensors: Iterable[tuple[str, Tensor]]) -> tuple[TensorRow, ...]:
    owners: dict[tuple[object, ...], str] = {}
    rows = []
    for name, tensor in tensors:
        owner = owners.setdefault(tensor.identity, name)
        alias = "" if owner == name else owner
        rows.append(TensorRow(name, tensor.dtype.name, tensor.shape, tensor.nbytes, alias))
    return tuple(rows)


def validate(
    paths: PathLike | Sequence[PathLike],
    *,
    level: int | None = None,
    strict: bool = False,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Report:
    """Check checkpoints against the specification; every violation is reported at once.

    Args:
        paths: Files, bundles, or directories to search.
        level: Level that each must reach; None checks all that each one claims.
        strict: Refuse unknown manifest fields other than `x-*`.
        select: Rule codes or prefixes to report; empty for all.
        ignore: Rule codes or prefixes not to report.

    Returns:
        One result a checkpoint. A path that holds none has a result that is incomplete.
    """
    results = []
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        results += list(_validate_path(path, level, strict=strict))
    chosen = tuple(_selected(result, tuple(select), tuple(ignore)) for result in results)
    return Report(chosen)


def _validate_path(path: PathLike, level: int | None, *, strict: bool) -> Iterator[Validation]:
    empty = True
    try:
        for found in find(path):
            empty = False
            yield _validate_one(found, level, strict=strict)
    except CkptkitError as error:
        empty = False
        yield _unread(os.fspath(path), error)
    if empty:
        nothing = NotACheckpointError("no checkpoint in this directory", where=os.fspath(path))
        yield _unread(os.fspath(path), nothing)


def _validate_one(path: Path, level: int | None, *, strict: bool) -> Validation:
    name = str(path)
    try:
        checkpoint = read(path)
    except CkptkitError as error:
        return _unread(name, error)
    claimed = levels.claimed(checkpoint)
    checked = claimed if level is None else min(level, claimed)
    findings = _findings(checkpoint, checked, strict=strict)
    achieved, lacks = levels.reached(checkpoint, findings, checked, _level_of)
    if level is not None and achieved < level and not _explains(findings, level):
        message = f"level {level} {levels.NAMES[level]} is asked for; it reaches {achieved}"
        findings.append(Finding("CK108", Severity.ERROR, message, name, fix=lacks))
    absent = any(finding.code == PointerError.code for finding in findings)
    incomplete = "content not present" if absent else ""
    return Validation(name, achieved, checkpoint.verdict, tuple(findings), incomplete, lacks)


def _explains(findings: Iterable[Finding], level: int) -> bool:
    """Whether an error already says why `level` is not reached."""
    return any(f.severity is Severity.ERROR and _level_of(f.code) <= level for f in findings)


def _unread(path: str, error: CkptkitError) -> Validation:
    """Return the result for a path that could not be read: a finding, or an incomplete check."""
    verdicts = {"CK102": Verdict.UNSAFE, "CK101": Verdict.MALFORMED, "CK106": Verdict.MALFORMED}
    verdict = verdicts.get(error.code, Verdict.UNSUPPORTED)
    message = f"{error.where}: {error.what}" if error.where not in ("", path) else error.what
    finding = Finding(error.code, Severity.ERROR, message, path, fix=error.fix)
    incomplete = error.what if isinstance(error, NOT_CHECKED) else ""
    return Validation(path, levels.UNREADABLE, verdict, (finding,), incomplete)


def _findings(checkpoint: Checkpoint, level: int, *, strict: bool) -> list[Finding]:
    return list(checks.run(checkpoint, level, strict=strict))


def _level_of(code: str) -> int:
    return checks.find(code).level


def _selected(result: Validation, select: tuple[str, ...], ignore: tuple[str, ...]) -> Validation:
    kept = tuple(
        finding
        for finding in result.findings
        if (not select or finding.code.startswith(select)) and not finding.code.startswith(ignore or ("-",))
    )
    return replace(result, findings=kept)


def convert(  # noqa: PLR0913 - one parameter an option of the command
    source: PathLike,
    to: str,
    output: PathLike,
    *,
    force: bool = False,
    dry_run: bool = False,
    require_level: int = 0,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
) -> Receipt:
    """Write a checkpoint in another format; tensors stay bit-identical, the source untouched.

    Args:
        source: Any supported checkpoint.
        to: Id of a writer: `deploy` (a directory) or `v2` (a torch dict).
        output: Path to write; must not exist unless `force` is set.
        force: Replace an existing bundle or file at `output`.
        dry_run: Do everything but write.
        require_level: Refuse, before anything is written, if the result would be below it.
        input_shape: Shape of one observation, for an architecture that the file cannot tell.
        assume: Names of profiles that may supply what the file cannot tell.

    Raises:
        UnsafeCheckpointError: The source asks for more than reading data.
        CkptkitError: As `read`, and as the writer.
    """
    writer = writers.find(to)
    checkpoint = read(source)
    _refuse_unfit(checkpoint)
    checkpoint = _with_architecture(checkpoint, Hints(input_shape, tuple(assume)))
    level = 2
    if require_level > level:
        raise LevelError(
            f"level {require_level} is required, and the result would reach {level}: no architecture graph",
            where=os.fspath(source),
        )
    target = Path(output)
    written = None if dry_run else writer.write(checkpoint, target, force)
    return Receipt(
        source=os.fspath(source),
        source_format=checkpoint.format,
        target=os.fspath(output),
        to=to,
        files_read=len(checkpoint.files),
        written=written,
        level=level,
        verdict=checkpoint.verdict,
        dropped=checkpoint.dropped,
        notes=checkpoint.notes + _unused_hints(input_shape, assume),
        code=checkpoint.code,
        dry_run=dry_run,
    )


def _with_architecture(checkpoint: Checkpoint, hints: Hints) -> Checkpoint:
    """Return `checkpoint` with its architecture, as far as it can be known.

    What a v2 encoding says of its architecture stands, unless the user vouches for more.
    """
    if checkpoint.bundle is not None and (hints == Hints() or carried(checkpoint).get("architecture")):
        return checkpoint
    found = recovery.recover(checkpoint, hints)
    return replace(checkpoint, architecture=found.architecture(), recovery=found.report())


def _unused_hints(input_shape: tuple[int, ...] | None, assume: Sequence[str]) -> tuple[Note, ...]:
    given = (["--input-shape"] if input_shape else []) + [f"--assume {name}" for name in assume]
    message = "no architecture is built from it in this version; nothing was assumed"
    return tuple(Note("unused-hint", message, hint) for hint in given)


def _refuse_unfit(checkpoint: Checkpoint) -> None:
    """Raise if `checkpoint` must not become a bundle."""
    if checkpoint.verdict is Verdict.UNSAFE:
        named = [f"{use.module}.{use.name}" for use in checkpoint.globals if not use.allowed]
        raise UnsafeCheckpointError(
            f"its pickle names what no checkpoint needs: {', '.join(dict.fromkeys(named))}",
            where=checkpoint.path,
            fix="do not load it; nothing of it was executed or converted",
        )
    if checkpoint.verdict is Verdict.CONTAINS_CODE and not checkpoint.carries_code:
        raise UnsafeCheckpointError(
            f"a {checkpoint.format} file carries code, which that format never needs",
            where=checkpoint.path,
            fix="see `ckptkit inspect`; nothing of it was executed or converted",
        )
    errors = [f for f in _findings(checkpoint, 1, strict=False) if f.severity is Severity.ERROR]
    if errors and checkpoint.bundle is not None:
        more = f" (and {len(errors) - 1} more; ckptkit validate lists them)" if len(errors) > 1 else ""
        raise ManifestError(f"{errors[0].code} {errors[0].message}{more}", where=checkpoint.path)
