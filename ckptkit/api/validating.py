"""Check checkpoints against the specification: many of them, each once, in a stable order."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ckptkit.api.baselining import apply_baseline
from ckptkit.api.checking import check, check_path, unread
from ckptkit.api.reading import PathLike, is_checkpoint
from ckptkit.api.selecting import Selection
from ckptkit.api.spreading import Known, each
from ckptkit.errors import CkptkitError, NotACheckpointError
from ckptkit.model.results import Report, Validation
from ckptkit.model.settings import How, Settings
from ckptkit.storage.probe import Probe
from ckptkit.storage.walk import candidates

if TYPE_CHECKING:
    from ckptkit.api.caching import Cached

Told = Callable[[Validation], None]


def validate(  # noqa: PLR0913 -- keywords, each with a default
    paths: PathLike | Sequence[PathLike],
    *,
    level: int | None = None,
    strict: bool = False,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    settings: Settings | None = None,
    jobs: int = 1,
    cache: bool = False,
    told: Told | None = None,
) -> Report:
    """Check checkpoints against the specification; every violation is reported at once.

    Args:
        paths: Files, bundles, or directories to search.
        level: Level that each must reach; None checks all that each one claims, up to level 3. Level 4
            runs the network and needs the extra `onnx`; where it is missing the result is incomplete.
        strict: Refuse unknown manifest fields other than `x-*`.
        select: Rule codes or prefixes to report; empty for all.
        ignore: Rule codes or prefixes not to report.
        settings: Where rules are not reported, and which findings are accepted; its other fields are
            defaults that the arguments above override, or that are for the caller.
        jobs: Processes to use, which may import the calling program anew (it needs its `__main__` guard); 0
            for one a core where there are many checkpoints.
        cache: Take the results of files that have not changed since an earlier run, where they are found
            by searching a directory; what is named itself is always checked.
        told: Called with each result, in order, as soon as it is known; without the baseline.

    Returns:
        One result a checkpoint. A path that holds none has a result that is incomplete.
    """
    known = settings or Settings()
    known = replace(
        known,
        level=known.level if level is None else level,
        strict=strict or known.strict,
        select=tuple(select) or known.select,
        ignore=tuple(ignore) or known.ignore,
    )
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    chosen = Selection(known.select, known.ignore, known)
    results: list[Validation] = []
    for result in map(chosen.of, _checked(given, known, jobs, cache=cache)):
        results.append(result)
        if told is not None:
            told(result)
    report = Report(tuple(results))
    return apply_baseline(report, known.baseline) if known.baseline else report


@dataclass(frozen=True, slots=True)
class _Edge:
    """Stands where the results of a directory that is searched begin, or end."""

    path: str
    ends: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A path to check; one that a search has found may be no checkpoint."""

    path: Path
    found: bool = False


Item = _Candidate | Known[Validation | _Edge]


def _checked(paths: Iterable[PathLike], known: Settings, jobs: int, *, cache: bool) -> Iterator[Validation]:
    """Yield the results of all checkpoints at the paths, or one that says why there are none at one of them.

    What a search has found is remembered, unless it was known.
    """
    with ExitStack() as stack:
        searcher = _Searcher(known, stack, cache=cache)
        count = 0
        for item, result in each(partial(_check, how=known.how), searcher.items(paths), jobs):
            if isinstance(result, _Edge):
                if result.ends and not count:
                    nothing = NotACheckpointError("no checkpoint in this directory", where=result.path)
                    yield unread(result.path, nothing)
                count = 0
            elif result is not None:
                count += 1
                if item is not None and item.found:
                    searcher.cached().keep(item.path, result)
                yield result


def _check(one: _Candidate, how: How) -> Validation | _Edge | None:
    return check_path(one.path, how) if one.found else check(one.path, how)


class _Searcher:
    """Finds what is to be checked, and remembers what came of it until `stack` is left."""

    def __init__(self, known: Settings, stack: ExitStack, *, cache: bool) -> None:
        self._known, self._stack, self._cache = known, stack, cache
        self._cached: Cached | None = None

    def cached(self) -> "Cached":
        """Return what is known of earlier; it is opened when the first directory is searched."""
        if self._cached is None:
            from ckptkit.api.caching import Cached, uncached

            opened = Cached.opened(self._known) if self._cache else nullcontext(uncached(self._known))
            self._cached = self._stack.enter_context(opened)
        return self._cached

    def items(self, paths: Iterable[PathLike]) -> Iterator[Item]:
        """Yield what is at the paths, in their order."""
        for path in paths:
            try:
                yield from self._at(path)
            except CkptkitError as error:
                yield Known(unread(os.fspath(path), error))

    def _at(self, path: PathLike) -> Iterator[Item]:
        if not Probe(path).is_directory or is_checkpoint(Path(path)):
            yield _Candidate(Path(path))
            return
        yield Known(_Edge(os.fspath(path), ends=False))
        for found in candidates(Path(path), self.cached().claims):
            known = self.cached().find(found)
            yield _Candidate(found, found=True) if known is None else Known(known)
        yield Known(_Edge(os.fspath(path), ends=True))
