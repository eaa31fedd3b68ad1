"""Text reports, word for word."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ckptkit import checks, report
from ckptkit.model.checkpoint import Note
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.results import Report, TensorRow, Validation
from ckptkit.report.words import dtypes, parameters, size, space
from tests.report.results import CLEAN, INSPECTION, RECEIPT, REPORT

GOLDEN = Path(__file__).with_name("golden")
"""Texts whose lines are longer than those of a source file may be."""
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


def test_an_inspection() -> None:
    assert report.inspections([INSPECTION], "text") == golden("inspection.txt")


def test_a_bundle_shows_its_digest_and_an_empty_file_says_so() -> None:
    bare = replace(
        INSPECTION,
        path="empty.pth",
        format_version=None,
        tensors=(),
        training_tensors=(),
        spaces={},
        model_config={},
        training_info={},
        code=(),
        globals=(),
        dropped=(),
        notes=(),
        verdict=Verdict.DATA_ONLY,
        content_digest="e" * 64,
        level=1,
        next_level="",
    )
    assert (
        report.inspections([bare], "text")
        == f"""\
empty.pth · sb3-zip · zip · 142 KB · data-only
├─ tensors      no tensors
└─ content      sha256 {"e" * 64}
level 1 described
"""
    )


def test_several_inspections_are_set_apart() -> None:
    text = report.inspections([INSPECTION, INSPECTION], "text")
    assert text.count("\n\nppo.zip") == 1


def test_plain_findings_are_one_line_each_and_nothing_cheers_after_a_failure() -> None:
    assert report.validations(REPORT, "text") == golden("findings.txt")


def test_a_clean_run_says_the_level() -> None:
    assert report.validations(CLEAN, "text") == "2 checkpoints: 2 ok · level 2 verifiable\n"
    uneven = Report((*CLEAN.results, Validation("c", 0, Verdict.DATA_ONLY, ())))
    assert report.validations(uneven, "text") == "3 checkpoints: 3 ok\n"


def test_findings_for_a_terminal_are_grouped() -> None:
    assert (
        ANSI.sub("", report.validations(REPORT, "text", color=True))
        == """\
✓ models/slot1  level 2 verifiable
✗ models/slot2
  CK202 error  ckpt.json: /tensors/0/nbytes: must be an integer
  CK301 error  model.safetensors: tensor actor.2.weight differs from its digest: expected 9f2c41…, got 77ab03…
        fix: restore the file from its source (lineage: ppo.zip, sha256 1b3e…)
  CK306 warning  README.md: is not listed
? models/slot3  not checked: content not present
  CK110 error  Git LFS pointer
note  models/empty: holds no checkpoint
3 checkpoints: 1 ok, 1 failed, 1 incomplete, 1 skipped · 1 warning · explain: ckptkit explain CK202
"""
    )


def test_a_receipt() -> None:
    assert (
        report.receipt(RECEIPT, "text")
        == f"""\
read      1 file of sb3-zip, 0 pickles executed · code seen and not run in data:lr_schedule
weights   12 tensors (1 alias), bit-identical · 24 training tensors
dropped   data:lr_schedule, data:ep_info_buffer (reasons: --list-dropped)
assumed   nothing
note      --assume rl-snake: nothing was assumed
wrote     out/ppo · 2 files, 51 KB · level 2 verifiable · source untouched
content   sha256 {"b" * 64}
bundle    sha256 {"c" * 64}
"""
    )


def test_a_receipt_lists_what_was_dropped_and_says_that_a_dry_run_wrote_nothing() -> None:
    text = report.receipt(replace(RECEIPT, written=None, dry_run=True), "text", list_dropped=True)
    assert "dropped   data:lr_schedule: a function\ndropped   data:ep_info_buffer: an object\n" in text
    assert "wrote     nothing: a dry run; out/ppo would be level 2 verifiable\n" in text
    assert "weights" not in text
    assert "dropped   nothing\n" in report.receipt(replace(RECEIPT, dropped=()), "text")


def test_the_list_of_rules_and_the_page_on_one() -> None:
    listed = report.rules(checks.rules(), "text").splitlines()
    assert [one[:5] for one in listed] == [rule.code for rule in checks.rules()]
    assert report.explanation(checks.find("tensor-digest"), "text").startswith(
        "CK301 tensor-digest\nerror · level 2 verifiable\n\nThe bytes of a tensor differ"
    )
    assert "info, error under --strict" in report.explanation(checks.find("CK206"), "text")


@pytest.mark.parametrize("rule", checks.rules(), ids=lambda rule: rule.code)
def test_every_rule_is_explained(rule: checks.Rule) -> None:
    page = report.explanation(rule, "text")
    for part in (rule.summary, rule.why, rule.fix, *rule.musts):
        assert part in page
    assert re.fullmatch(r"CK[1-9]\d\d", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+){0,3}", rule.name)
    assert rule.summary.endswith(".")
    assert len(rule.why) > 60
    assert len(rule.fix) > 20


def test_a_hostile_name_cannot_move_the_cursor_or_forge_a_line() -> None:
    finding = Finding("CK301", Severity.ERROR, "tensor a\nb: CK000 fine\x1b[2J\ud800", "x\r.pt", "\u202ea")
    text = report.validations(Report((Validation("x", 0, Verdict.DATA_ONLY, (finding,)),)), "text")
    assert len(text.splitlines()) == 2
    assert not set(text) & set("\x1b\r\ud800\u202e")
    found = replace(INSPECTION, path="\x1b[2J", notes=(Note("a", "b\nc", "\x00"),))
    for color in (False, True):
        shown = ANSI.sub("", report.inspections([found], "text", color=color))
        assert not set(shown) & set("\x1b\x00")


def test_colour_changes_no_word_and_no_line_is_wrapped() -> None:
    wide = replace(INSPECTION, notes=(Note("long", "word " * 200),))
    for one in (INSPECTION, wide):
        plain = report.inspections([one], "text")
        assert ANSI.sub("", report.inspections([one], "text", color=True)).replace(" \n", "\n") == plain
    assert ANSI.search(report.inspections([INSPECTION], "text", color=True))


def test_plain_text_needs_no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    assert report.validations(REPORT, "text")
    assert report.inspections([INSPECTION], "text")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (9_949, "9.9 KB"),
        (9_951, "10 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (1_600_000_000, "1.6 GB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes_for_people(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"type": "Box", "shape": [], "dtype": "uint8", "low": 0, "high": 255}, "Box() uint8 in [0, 255]"),
        ({"type": "Box", "shape": [2], "low": [0.0, 1.0], "high": 2.0}, "Box(2,)"),
        ({"type": "Discrete", "n": 3, "start": -1}, "Discrete(3, start -1)"),
        ({"type": "MultiDiscrete", "nvec": [2, 3]}, "MultiDiscrete([2, 3])"),
        ({"type": "MultiBinary", "shape": [4]}, "MultiBinary(4,)"),
        (
            {"type": "Dict", "spaces": [{"key": "a", "space": {"type": "Discrete", "n": 2}}]},
            "Dict(a: Discrete(2))",
        ),
        ({"type": "Tuple", "spaces": [{"type": "Discrete", "n": 2}]}, "Tuple(Discrete(2))"),
        ({"type": "unknown", "class": "my.Space"}, "unknown (my.Space)"),
        ({"type": "Text", "max_length": 3}, "Text"),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_spaces_in_a_phrase(value: object, words: str) -> None:
    assert space(value) == words


def test_parameters_count_a_shared_tensor_once() -> None:
    rows = (
        TensorRow("a", "F32", (2, 3), 24),
        TensorRow("b", "F32", (2, 3), 24, "a"),
        TensorRow("c", "F32", (), 4),
    )
    assert parameters(rows) == 7
    assert dtypes(rows) == "F32"
