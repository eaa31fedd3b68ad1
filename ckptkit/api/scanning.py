"""Look into files without reading a tensor: what their pickles name, wherever they lie."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ckptkit.api.spreading import Known, each
from ckptkit.checks.readable import Pickled, check_expected_code, check_globals, check_unexpected_code
from ckptkit.errors import CkptkitError, InaccessibleError, NotACheckpointError
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.scanned import Part, Scan, Scanned, gravest
from ckptkit.storage.scan import look_into
from ckptkit.storage.walk import Unlisted, every_file

FEW = 256
"""Up to so many files one process is done with before others have started; a look takes a millisecond."""
PathLike = str | os.PathLike[str]

Told = Callable[[Scanned], None]


def scan(paths: PathLike | Sequence[PathLike], *, jobs: int = 1, told: Told | None = None) -> Scan:
    """Say of each file what it is, what lies inside it, and what its pickles name; nothing is executed.

    Args:
        paths: Files, or directories to search. Links to directories are not followed.
        jobs: Processes to use, which may import the calling program anew (it needs its `__main__` guard); 0
            for one a core where there are many files.
        told: Called with each result, in order, as soon as it is known.

    Returns:
        One result a file. A file that could not be read, and a path with nothing to scan, has one that is
        incomplete; files of a directory that can hold no pickle are listed apart.
    """
    results: list[Scanned] = []
    skipped: list[str] = []
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    for path in given:
        before = len(results)
        for result in _below(Path(path), jobs):
            if result.kind or result.incomplete:
                results.append(result)
                if told is not None:
                    told(result)
            else:
                skipped.append(result.path)
        if len(results) == before:
            nothing = _unread(str(path), NotACheckpointError("nothing in it was scanned", where=str(path)))
            results.append(nothing)
            if told is not None:
                told(nothing)
    return Scan(tuple(results), tuple(skipped))


def _below(path: Path, jobs: int) -> Iterator[Scanned]:
    """Yield the result of a file, or of every file below a directory."""
    if not path.is_dir():
        result = scan_file(path)
        what = "is neither a pickle nor a container that can hold one"
        yield result if result.kind or result.incomplete else _unread(str(path), NotACheckpointError(what))
        return
    files: Iterator[Path | Known[Scanned]] = (
        Known(_unlisted(one)) if isinstance(one, Unlisted) else one for one in every_file(path)
    )
    for _, result in each(scan_file, files, jobs, few=FEW):
        yield result


def _unlisted(found: Unlisted) -> Scanned:
    return _unread(found.path, InaccessibleError(f"cannot be listed: {found.reason}"))


def scan_file(path: Path) -> Scanned:
    """Look into one file; what is wrong with it is in the result, whose kind is empty for no container."""
    try:
        parts = look_into(path)
    except CkptkitError as error:
        return _unread(str(path), error)
    except OSError as error:
        return _unread(str(path), InaccessibleError(f"cannot be read: {error.strerror}"))
    if not parts:
        return Scanned(str(path), "", Verdict.DATA_ONLY)
    findings = tuple(dict.fromkeys(finding for part in parts for finding in _findings(str(path), part)))
    problems = [(part, part.problem) for part in parts if part.problem]
    incomplete = _placed(*problems[0]) if problems else ""
    verdict = gravest(part.verdict for part in parts)
    return Scanned(str(path), parts[0].kind, verdict, parts, findings, incomplete)


def _placed(part: Part, problem: str) -> str:
    return f"{part.place}: {problem}" if part.place else problem


def _findings(path: str, part: Part) -> Iterator[Finding]:
    """Yield what the rules of level 0 say of one part, as they do of a checkpoint."""
    if part.problem:
        message = _placed(part, part.problem)
        yield Finding(part.code_of_problem, Severity.ERROR, message, path, part.place, part.fix)
    facts = Pickled(path, part.kind, part.pickles, part.code, part.globals, part.carries_code)
    for check in (check_globals, check_unexpected_code, check_expected_code):
        yield from check(facts)


def _unread(path: str, error: CkptkitError) -> Scanned:
    finding = Finding(error.code, Severity.ERROR, error.what, path, fix=error.fix)
    return Scanned(path, "", Verdict.UNSUPPORTED, findings=(finding,), incomplete=error.what)
