"""Accept the findings of today, so that only new ones are reported."""

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ckptkit import schema
from ckptkit.errors import UsageError
from ckptkit.model.baseline import Accepted, Baselined, Pardoned
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.places import Fingerprints, relative
from ckptkit.model.results import Report, Validation
from ckptkit.storage import baseline_file


def read_baseline(path: str | os.PathLike[str]) -> tuple[Accepted, ...]:
    """Return the entries of a baseline.

    Raises:
        UsageError: It breaks its schema, or an entry's last day is no day; all problems are named.
        CkptkitError: It cannot be read.
    """
    document = baseline_file.load(Path(path))
    problems = [
        f"{one.pointer} {one.message}".strip() for one in schema.validate(baseline_file.NAME, document)
    ]
    if problems or not isinstance(document, Mapping):
        raise UsageError("; ".join(problems), where=os.fspath(path), fix="`ckptkit baseline` writes it anew")
    accepted = baseline_file.entries(document)
    for entry in accepted:
        _day(entry.expires, os.fspath(path))
    return accepted


def write_baseline(
    report: Report, path: str | os.PathLike[str], *, reason: str, expires: str = ""
) -> Baselined:
    """Write a baseline of all errors and warnings of a report.

    Entries of an earlier baseline at `path` that still occur keep their reason and last day; those of
    checkpoints that the report does not cover stay as they are.

    Args:
        report: What `validate` found, without a baseline.
        path: Where to write it.
        reason: Why new findings are accepted.
        expires: Last day (`YYYY-MM-DD`) for new findings; empty for no end.

    Raises:
        UsageError: There is no reason, the day is none, or something could not be checked at all.
        WriteError: It cannot be written.
    """
    if not reason.strip():
        raise UsageError("a baseline needs a reason", fix="give --reason TEXT")
    _day(expires, "--expires")
    for result in report.results:
        if result.incomplete:
            raise UsageError(
                f"not checked: {result.incomplete}", where=result.path, fix="make it readable first"
            )
    target = Path(path)
    before = {entry.fingerprint: entry for entry in read_baseline(target)} if target.exists() else {}
    now = {
        print_: before.get(print_) or _entry(finding, place, print_, reason, expires)
        for print_, finding, place in _printed(report, target.absolute().parent)
        if finding.severity is not Severity.INFO
    }
    covered = _covers(report, target.absolute().parent)
    elsewhere = {key: entry for key, entry in before.items() if key not in now and not covered(entry.path)}
    baseline_file.save(target, (now | elsewhere).values())
    kept = sum(key in before for key in now)
    return Baselined(str(path), kept, len(now) - kept, len(before) - kept - len(elsewhere))


def apply_baseline(report: Report, path: str | os.PathLike[str], today: dt.date | None = None) -> Report:
    """Take the accepted findings out of a report; what has expired or occurs no more becomes a remark.

    Args:
        report: What `validate` found.
        path: The baseline.
        today: Day on which entries must not have expired; the present one where left out.

    Raises:
        UsageError: As `read_baseline`.
    """
    folder = Path(path).absolute().parent
    accepted = {entry.fingerprint: entry for entry in read_baseline(path)}
    day = (today or dt.datetime.now(tz=dt.UTC).date()).isoformat()
    valid = {key: entry for key, entry in accepted.items() if not entry.expires or day <= entry.expires}
    prints = {id(finding): print_ for print_, finding, _ in _printed(report, folder)}
    results = tuple(_pardoned(result, prints, valid) for result in report.results)
    covered, occurring = _covers(report, folder), set(prints.values())
    remarks = [
        f"{path}: {entry.code} at {entry.path} was accepted until {entry.expires}"
        for key, entry in accepted.items()
        if key in occurring and key not in valid
    ]
    remarks += [
        f"{path}: {entry.code} at {entry.path} occurs no more; `ckptkit baseline` removes it"
        for key, entry in accepted.items()
        if key not in occurring and covered(entry.path)
    ]
    return replace(report, results=results, remarks=(*report.remarks, *remarks))


def _pardoned(result: Validation, prints: Mapping[int, str], valid: Mapping[str, Accepted]) -> Validation:
    if result.incomplete:
        return result
    entries = [(finding, valid.get(prints[id(finding)])) for finding in result.findings]
    return replace(
        result,
        findings=tuple(finding for finding, entry in entries if entry is None),
        pardoned=tuple(Pardoned(finding, entry) for finding, entry in entries if entry is not None),
    )


def _printed(report: Report, folder: Path) -> Iterable[tuple[str, Finding, str]]:
    """Yield each finding with its fingerprint and its path from `folder`."""
    prints = Fingerprints(folder)
    for result in report.results:
        for finding in result.findings:
            path = finding.path or result.path
            yield prints.of(finding, path), finding, relative(path, folder)


def _covers(report: Report, folder: Path) -> "_Covered":
    return _Covered(tuple(relative(result.path, folder) for result in report.results))


class _Covered:
    """Whether a path lies in one of the checkpoints that were checked."""

    def __init__(self, roots: tuple[str, ...]) -> None:
        self._roots = roots

    def __call__(self, path: str) -> bool:
        return any(path == root or path.startswith(f"{root}/") for root in self._roots)


def _entry(finding: Finding, place: str, print_: str, reason: str, expires: str) -> Accepted:
    return Accepted(print_, finding.code, place, reason, finding.location, finding.message, expires)


def _day(text: str, where: str) -> None:
    if not text:
        return
    try:
        dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no day of the form YYYY-MM-DD", where=where) from error
