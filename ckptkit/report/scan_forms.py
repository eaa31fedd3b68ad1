"""Render what `scan` found; apart from the other commands, so that a scan imports none of theirs."""

from pathlib import Path

from ckptkit.model.scanned import Scan, Scanned
from ckptkit.report.scan_text import closing, result
from ckptkit.report.styled import render


def scan(done: Scan, form: str, *, full: bool = False, color: bool = False, root: Path | None = None) -> str:
    """Render what `scan` found.

    Args:
        done: What `scan` found.
        form: `text`, `json` or `sarif`.
        full: Whether text lists parts, allowed globals and code too.
        color: Whether a terminal shows the text.
        root: Folder from which SARIF names files.
    """
    if form == "json":
        from ckptkit.report import scan_json

        return scan_json.scan(done)
    if form == "sarif":
        from ckptkit.report.sarif import sarif

        return sarif(done.results, root)
    parts = (scanned(one, full=full, color=color) for one in done.results)
    return "".join(parts) + scan_end(done, color=color)


def scanned(one: Scanned, *, full: bool = False, color: bool = False) -> str:
    """Render one result of `scan` as text."""
    return render(result(one, full=full), color=color)


def scan_end(done: Scan, *, color: bool = False) -> str:
    """Render what follows the results of `scan` as text: the counts."""
    return render(closing(done), color=color)
