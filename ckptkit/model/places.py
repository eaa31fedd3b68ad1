"""Where a finding is, as tools outside name places: relative paths, URIs and fingerprints."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ckptkit.model.finding import Finding
from ckptkit.model.results import Report, Validation


def found(report: Report) -> Iterator[tuple[Validation, Finding]]:
    """Yield every finding with the result that it belongs to, in the order of the report."""
    for result in report.results:
        for finding in result.findings:
            yield result, finding


def relative(path: str, root: Path | None) -> str:
    """Return `path` from `root` with forward slashes; absolute where it lies elsewhere."""
    if root is None:
        return Path(path).as_posix()
    absolute = Path(path).absolute()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else absolute.as_posix()


def uri(path: str, root: Path | None) -> str:
    """Return a relative URI reference below `root`, else a file URI."""
    place = relative(path, root)
    encoded = quote(place, safe="/")
    return f"file://{encoded}" if place.startswith("/") else encoded


class Fingerprints:
    """Fingerprints of findings that stay when figures in their messages change.

    They cover the code, the place and, where one place has several findings of a rule, their order.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._seen: dict[str, int] = {}

    def of(self, finding: Finding, path: str) -> str:
        """Return the hex fingerprint of the next finding; `path` is where it was found."""
        key = "\n".join((finding.code, relative(path, self._root), finding.location))
        number = self._seen[key] = self._seen.get(key, 0) + 1
        return hashlib.sha256(f"{key}\n{number}".encode("utf-8", "surrogatepass")).hexdigest()
