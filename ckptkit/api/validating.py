"""Check checkpoints against the specification: many of them, each once, in a stable order."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
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
from ckptkit.model.settings import Settings
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
        jobs: Processes to use, which import the calling program anew (it needs its `__main__` guard); 0
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
    for path in given:
        for result in map(chosen.of, _checked(path, known, jobs, cache=cache)):
            results.append(result)
            if told is not None:
                told(result)
    report = Report(tuple(results))
    return apply_baseline(report, known.baseline) if known.baseline else report


def _checked(path: PathLike, known: Settings, jobs: int, *, cache: bool) -> Iterator[Validation]:
    """Yield the results of all checkpoints at a path, or one that says why there are none."""
    empty = True
    try:
        if not Probe(path).is_directory or is_checkpoint(Path(path)):
            yield check(Path(path), known.how)
            return
        from ckptkit.api.caching import Cached, uncached

        searched = Cached.opened(known) if cache else nullcontext(uncached(known))
        with searched as cached:
            for result in _all(candidates(Path(path), cached.claims), cached, jobs):
                empty = False
                yield result
    except CkptkitError as error:
        empty = False
        yield unread(os.fspath(path), error)
    if empty:
        nothing = NotACheckpointError("no checkpoint in this directory", where=os.fspath(path))
        yield unread(os.fspath(path), nothing)


def _all(found: Iterator[Path], cached: "Cached", jobs: int) -> Iterator[Validation]:
    """Yield the results in the order of the paths, and remember those that were not known."""
    items: Iterator[Path | Known[Validation | None]] = (
        path if (known := cached.find(path)) is None else Known(known) for path in found
    )
    for path, result in each(partial(check_path, how=cached.how), items, jobs):
        if result is None:
            continue
        if path is not None:
            cached.keep(path, result)
        yield result
