"""The benchmarks' page: what was measured, beside what was not."""

import sys

import pytest

from benchmarks.comparison.document import page
from benchmarks.comparison.growth import Curve
from benchmarks.comparison.measuring import Table, empty, in_turn, measure
from benchmarks.comparison.programs import python


def test_a_page_has_ratios_and_says_what_is_missing(tmp_path, capsys):
    commands = {"ours": python("pass"), "theirs": python("import sys; sys.exit(3)"), "absent": None}
    table = in_turn("Work", commands, 3, note="What is left out.", before=empty(tmp_path / "out"))
    assert (tmp_path / "out").is_dir()
    assert len(table.runs["ours"]) == 3
    text = page([table], [Curve("size", "Work", "megabytes", (1, 2), {"ours": (1.0, 2.0)})], 3, [0.0, 0.0])
    assert "## Work\n\nWhat is left out.\n" in text
    assert "| ours | " in text
    assert " | 1.00 | " in text
    assert "| theirs | ended with status 3 |" in text
    assert "| absent | not installed |" in text
    assert "](benchmarks-size.svg)" in text
    assert "busy" not in text
    assert "busy" in page([table], [], 3, [100.0, 1.0])


def test_medians_are_of_each_quantity():
    runs = [measure([sys.executable, "-c", "pass"]) for _ in range(3)]
    middle = Table("Work", {"ours": runs}).median("ours")
    assert middle.seconds == sorted(run.seconds for run in runs)[1]
    assert middle.megabytes > 1


def test_a_run_whose_own_program_fails_ends():
    with pytest.raises(SystemExit):
        in_turn("Work", {"ours": python("import sys; sys.exit(1)")}, 1)
