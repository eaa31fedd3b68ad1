"""Give findings the line of the manifest that they speak of."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ckptkit.errors import CkptkitError
from ckptkit.model.finding import Finding
from ckptkit.model.ijson import MAX_BYTES
from ckptkit.model.json_lines import lines
from ckptkit.storage.source import FileSource


def with_lines(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings; those at a JSON pointer of a `.json` file have its line."""
    given = tuple(findings)
    pointers: dict[str, set[str]] = {}
    for finding in given:
        if _points(finding):
            pointers.setdefault(finding.path, set()).add(finding.location)
    found = {path: _lines(path, wanted) for path, wanted in pointers.items()}
    return tuple(
        replace(finding, line=found[finding.path].get(finding.location, 0)) if _points(finding) else finding
        for finding in given
    )


def _points(finding: Finding) -> bool:
    return finding.path.endswith(".json") and finding.location.startswith("/")


def _lines(path: str, pointers: set[str]) -> Mapping[str, int]:
    """Return no lines where the file cannot be read again: the findings stand without them."""
    try:
        source = FileSource(path)
        return lines(source.read(0, min(source.size, MAX_BYTES)), pointers)
    except CkptkitError:
        return {}
