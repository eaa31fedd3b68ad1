"""`docs/safety.md`: it has every file that the benchmark makes, and what ckptkit says of each."""

import re
from pathlib import Path

import pytest

from benchmarks import safety_files
from ckptkit import scan
from ckptkit.cli.scan import exit_status
from ckptkit.model.finding import Verdict
from tests.corpus import CHECKOUT

PAGE = (CHECKOUT / "docs" / "safety.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE))
"""What ckptkit said, by file."""
WORDS = {0: "clean", 1: "flagged"}
FILES = {name: data for name, _, data in (*safety_files.hostile(), *safety_files.benign())}


def test_every_file_has_its_row() -> None:
    assert len(FILES) >= 30
    assert ROWS.keys() >= FILES.keys()


@pytest.mark.parametrize("name", FILES)
def test_the_page_says_what_ckptkit_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    done = scan(path)
    unsafe = any(result.verdict is Verdict.UNSAFE for result in done.results)
    said = WORDS.get(exit_status(done), "flagged, not read to its end" if unsafe else "not read")
    assert said == ROWS[name]
