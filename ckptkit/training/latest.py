"""Find the newest checkpoint of a training run that holds what it promises."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptkit.api.reading import PathLike, read
from ckptkit.api.validating import validate
from ckptkit.errors import CkptkitError, NotACheckpointError
from ckptkit.model.finding import Severity
from ckptkit.model.progress import step_in_name, step_of

SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".zip", ".safetensors", ".dat"})
"""Suffixes of files that somebody took for checkpoints, so that one that is none is worth a word."""


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that would have come first, and why it was not taken.

    Attributes:
        path: The file or bundle.
        reason: One line.
    """

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class LatestCheckpoint:
    """What a search found.

    Attributes:
        path: The newest checkpoint that is valid; None where there is none.
        step: How far its training had come; None where neither the file nor its name says it.
        skipped: What was passed over, in the order of the search.
    """

    path: Path | None
    step: int | None = None
    skipped: tuple[SkippedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    step: int | None
    modified: float
    broken: str = ""

    @property
    def rank(self) -> tuple[float, float, str]:
        """Order by step; without one a broken file comes first, to be reported, and any other last."""
        unknown = math.inf if self.broken else -1
        return (unknown if self.step is None else self.step, self.modified, self.path.name)


def find_latest_checkpoint(
    directory: PathLike, *, level: int | None = None, parent: bool = True
) -> LatestCheckpoint:
    """Return the newest checkpoint directly in a directory that is whole, else the one in its parent.

    The newest is the one with the highest step: that of its training info, else the number in its name. Time
    of modification decides among equals and where nothing says a step.

    Args:
        directory: Folder of one training run.
        level: Level that it must reach (`ckptkit validate`); None takes what each file claims: recorded
            digests and checksums must match.
        parent: Whether the parent directory is searched where nothing here is valid.

    Raises:
        NotACheckpointError: There is no such directory.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise NotACheckpointError("no such directory", where=str(folder))
    skipped: list[SkippedFile] = []
    above = folder.resolve().parent
    for place in (folder, above) if parent and above != folder.resolve() else (folder,):
        for candidate in sorted(_candidates(place, folder), key=lambda one: one.rank, reverse=True):
            reason = candidate.broken or why_invalid(candidate.path, level)
            if not reason:
                return LatestCheckpoint(candidate.path, candidate.step, tuple(skipped))
            skipped.append(SkippedFile(candidate.path, reason))
    return LatestCheckpoint(None, None, tuple(skipped))


def _candidates(place: Path, searched: Path) -> Iterator[_Candidate]:
    for path in sorted(place.iterdir()):
        if path.name.startswith(".") or path.resolve() == searched.resolve():
            continue
        step, broken = step_in_name(path.stem), ""
        try:
            checkpoint = read(path)
            stated = step_of(checkpoint.training_info)
            step = step if stated is None else stated
            broken = "" if checkpoint.tensors else "holds no model"
        except NotACheckpointError as error:
            if path.suffix not in SUFFIXES or path.is_dir():
                continue
            broken = str(error.what)
        except CkptkitError as error:
            broken = error.what
        yield _Candidate(path, step, path.lstat().st_mtime, broken)


def why_invalid(path: Path, level: int | None) -> str:
    """Say why a checkpoint is not what it claims; empty where it is."""
    for result in validate(path, level=level).results:
        errors = [finding for finding in result.findings if finding.severity is Severity.ERROR]
        for finding in errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            return f"{finding.code} {finding.message}{more}"
        if result.incomplete:
            return result.incomplete
    return ""
