"""Every vector gives what it says, and never a crash."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ckptkit import api, checks
from ckptkit.model.finding import Severity
from tests.conformance.cases import CASES, FOLDER, Case

ROOT = FOLDER.parents[1]


def check(case: Case) -> tuple[list[str], list[str], int]:
    """Return the codes of all findings, those of errors, and the lowest level reached."""
    report = api.validate(case.path, level=case.level, strict=case.strict)
    findings = [finding for result in report.results for finding in result.findings]
    assert report.results
    assert {finding.code for finding in findings} <= {rule.code for rule in checks.rules()}
    assert all(finding.message and finding.path for finding in findings)
    errors = [finding.code for finding in findings if finding.severity is Severity.ERROR]
    return [finding.code for finding in findings], errors, min(result.level for result in report.results)


@pytest.mark.parametrize("case", [case for case in CASES if case.valid], ids=lambda case: case.name)
def test_valid_vectors_reach_their_level(case: Case) -> None:
    codes, errors, level = check(case)
    assert errors == []
    assert set(case.also) <= set(codes)
    assert level == case.level
    assert case.rule is None


@pytest.mark.parametrize("case", [case for case in CASES if not case.valid], ids=lambda case: case.name)
def test_invalid_vectors_fire_their_rule(case: Case) -> None:
    codes, errors, _ = check(case)
    assert case.rule in errors
    assert set(case.also) <= set(codes)


def test_there_are_as_many_vectors_as_were_written() -> None:
    assert len(CASES) >= 105
    assert sum(case.valid for case in CASES) >= 9
    assert len({case.rule for case in CASES if case.rule}) >= 28
    assert all(case.path.exists() and case.why.endswith(".") for case in CASES)


def test_every_error_rule_has_a_vector() -> None:
    errors = {rule.code for rule in checks.rules() if rule.severity is Severity.ERROR}
    # CK114 is about what a system allows; no file in a repository can break it.
    assert errors - {case.rule for case in CASES} <= {"CK114"}


def test_vectors_break_one_thing() -> None:
    """A vector says what it breaks; more errors than one mean that it breaks more."""
    together = {case.name: check(case)[1] for case in CASES if not case.valid and not case.also}
    several = {name: sorted(Counter(codes)) for name, codes in together.items() if len(set(codes)) > 1}
    assert len(several) <= len(CASES) // 4, several


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_vectors_can_be_made_again_byte_for_byte(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "fixtures" / "make_conformance.py"), str(tmp_path / "made")]
    run = subprocess.run(program, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    made, kept = contents(tmp_path / "made"), contents(FOLDER)
    assert made.keys() == kept.keys()
    assert [name for name in made if made[name] != kept[name]] == []
