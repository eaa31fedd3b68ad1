"""Say whether a checkpoint fits: another one, a module, spaces, a configuration, or this installation."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ckptkit.api.facts import facts_of, facts_of_object, is_path
from ckptkit.api.misfits import compared, misfits, version
from ckptkit.api.preparing import refuse_unfit, with_architecture
from ckptkit.api.reading import PathLike, is_checkpoint, read
from ckptkit.errors import CkptkitError
from ckptkit.graph.document import architecture_of
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.compatibility import Aspect, Compatibility, Facts, Fit, Reason
from ckptkit.model.extras import PARTS, install_command, missing
from ckptkit.model.recovered import Hints
from ckptkit.version import SPEC_VERSION, __version__
from ckptkit.writers.deployable import open_question

BESIDE = 20
"""Most checkpoints of the same folder that are listed."""
_ORDER = (Fit.FULL, Fit.PARTIAL, Fit.NONE)
_NEEDED_BY = {"torch": "building the network", "onnx": "exporting it to ONNX"}


def check_compatibility(
    path: PathLike,
    against: object = None,
    *,
    input_shape: tuple[int, ...] | None = None,
    assume: Sequence[str] = (),
) -> Compatibility:
    """Say how far a checkpoint fits, with every reason at once; nothing of it is executed.

    Args:
        path: Any supported checkpoint or bundle.
        against: What it shall fit: the path of another checkpoint, a module (anything with
            `state_dict`), an environment or a mapping of spaces, a configuration (a mapping or a
            dataclass). None for this ckptkit and what is installed beside it.
        input_shape: Shape of one observation, for an architecture that the file cannot tell.
        assume: Names of profiles that may supply what the file cannot tell.

    Returns:
        `Fit.NONE` too where `path` is unsafe or of a version that this ckptkit does not know.

    Raises:
        UsageError: `against` is nothing that a checkpoint can fit.
        CkptkitError: One of the two cannot be read; `against` may not be refused either.
    """
    want = None if against is None else _wanted(against)
    label = want.label if want is not None else f"ckptkit {__version__}"
    try:
        checkpoint = _prepared(path, Hints(input_shape, tuple(assume)))
    except CkptkitError as error:
        if error.exit_code != 1:
            raise
        reason = Reason(Aspect.FORMAT, Fit.NONE, "file", error.what)
        return _result(path, label, (Aspect.FORMAT,), (reason,), tuple(filter(None, [error.fix])))
    have = replace(facts_of(checkpoint), label=os.fspath(path))
    if want is not None:
        reasons = tuple(misfits(have, want))
        ways = (*_adaptable(path, have, want), *_ways(path, against, reasons))
        return _result(path, label, compared(have, want), reasons, ways)
    reasons = tuple(_here(checkpoint, have))
    aspects = (Aspect.FORMAT, Aspect.ARCHITECTURE, Aspect.VERSIONS, Aspect.EXTRAS)
    return _result(path, label, aspects, reasons, tuple(_ways(path, against, reasons)))


def _prepared(path: PathLike, hints: Hints) -> Checkpoint:
    checkpoint = read(path)
    refuse_unfit(checkpoint)
    return with_architecture(checkpoint, hints)


def _wanted(against: object) -> Facts:
    if not is_path(against):
        return facts_of_object(against)
    return facts_of(_prepared(against, Hints()))  # type: ignore[arg-type]


def _result(
    path: PathLike,
    label: str,
    aspects: tuple[Aspect, ...],
    reasons: tuple[Reason, ...],
    ways: tuple[str, ...],
) -> Compatibility:
    fit = max((reason.fit for reason in reasons), key=_ORDER.index, default=Fit.FULL)
    return Compatibility(
        path=os.fspath(path),
        against=label,
        fit=fit,
        compared=aspects,
        reasons=reasons,
        beside=tuple(_beside(Path(path))) if fit is not Fit.FULL else (),
        ways=ways if fit is not Fit.FULL else (),
    )


def _here(checkpoint: Checkpoint, have: Facts) -> Iterator[Reason]:
    """Yield what keeps a checkpoint from being used with this ckptkit and what is installed."""
    if checkpoint.bundle is None:
        message = f"{checkpoint.format}, an older format; it is read as it is, bundles are of {SPEC_VERSION}"
        yield Reason(Aspect.FORMAT, Fit.FULL, "version", message)
    if architecture_of(checkpoint) is None:
        message = open_question(checkpoint) or "nothing says which network it is"
        yield Reason(Aspect.ARCHITECTURE, Fit.PARTIAL, "graph", message)
    for extra in PARTS:
        package = missing(extra)
        if package:
            message = f"{_NEEDED_BY[extra]} needs {package}, which is not installed"
            yield Reason(Aspect.EXTRAS, Fit.PARTIAL, extra, message)
    for package, recorded in have.versions.items():
        installed = _installed(package)
        if installed:
            yield from version(package, recorded, installed, "this environment")


def _installed(package: str) -> str:
    """Return the installed version of a package, read from its metadata; empty where it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _beside(path: Path) -> Iterator[str]:
    """Yield the other checkpoints in the folder of `path`, the first `BESIDE` by name."""
    try:
        entries = sorted(other for other in path.absolute().parent.iterdir() if other.name != path.name)
    except OSError:
        return
    found = (str(path.parent / other.name) for other in entries if is_checkpoint(other))
    yield from (name for name, _ in zip(found, range(BESIDE), strict=False))


def _adaptable(path: PathLike, have: Facts, want: Facts) -> Iterator[str]:
    """Yield the call that gives other input channels, where a convolution differs in nothing else."""
    pairs = [(have.tensors[name][1], want.tensors[name][1]) for name in want.tensors if name in have.tensors]
    counts = {
        after[1]
        for before, after in pairs
        if before != after
        and len(before) == len(after) >= 3
        and (before[0], before[2:]) == (after[0], after[2:])
    }
    if len(counts) == 1:
        yield f"ckptkit convert {os.fspath(path)} --to deploy -o DST --adapt input-channels={counts.pop()}"


def _ways(path: PathLike, against: object, reasons: Sequence[Reason]) -> Iterator[str]:
    """Yield what can be done about the misfits, the least costly first."""
    met = {reason.aspect for reason in reasons if reason.fit is not Fit.FULL}
    name = os.fspath(path)
    if Aspect.EXTRAS in met:
        yield from (install_command(extra) for extra in PARTS if missing(extra))
    if Aspect.VERSIONS in met:
        yield f"a bundle needs no library of a certain release: ckptkit convert {name} --to deploy -o DST"
    if against is None and Aspect.ARCHITECTURE in met:
        yield f"ckptkit recover {name} says which flag settles what is open"
    if not met & {Aspect.TENSORS, Aspect.ARCHITECTURE, Aspect.SPACES, Aspect.ACTIONS} or against is None:
        return
    if is_path(against):
        yield f"ckptkit diff {name} {os.fspath(against)} shows all that differs"  # type: ignore[call-overload]
    yield f"build the network that the file holds, not today's: ckptkit.load({name!r})"
    yield "use the code or the configuration that the file was made with, or one of the files beside it"
    yield "take over the tensors that fit (ckptkit.read(…).tensors), or train anew"
