"""Every vector gives what it says, and never a crash."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ckptkit import api, checks, schema
from ckptkit.model.finding import Severity
from tests.conformance.cases import CASES, FOLDER, Case

ROOT = FOLDER.parents[1]
OF_THE_MACHINE = frozenset({"CK114", "CK116"})
"""Rules on what a system allows and what a killed run left there; the format has no part in them."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_vector_gives_what_it_says(case: Case) -> None:
    report = api.validate(case.path, level=case.level, strict=case.strict)
    findings = [finding for result in report.results for finding in result.findings]
    assert {finding.code for finding in findings} <= {rule.code for rule in checks.rules()}
    assert all(finding.message and finding.path for finding in findings)
    errors = {finding.code for finding in findings if finding.severity is Severity.ERROR}
    others = {finding.code for finding in findings} - errors
    (result,) = report.results
    assert case.problem(errors, others, result.level) == ""


def test_there_are_as_many_vectors_as_were_written() -> None:
    assert len(CASES) >= 513
    assert sum(not case.valid for case in CASES) >= 390
    assert sum(case.valid for case in CASES) >= 100
    assert all(case.path.exists() and case.why.endswith(".") and case.must for case in CASES)


def test_cases_are_of_their_schema() -> None:
    problems = {
        path.parent.name: schema.validate("conformance-case-1.0", json.loads(path.read_bytes()), strict=True)
        for path in FOLDER.glob("*/case.json")
    }
    assert {name: found for name, found in problems.items() if found} == {}


def test_every_error_rule_has_a_vector() -> None:
    errors = {rule.code for rule in checks.rules() if rule.severity is Severity.ERROR}
    assert errors - {code for case in CASES for code in case.codes} <= OF_THE_MACHINE


def test_vectors_break_one_thing() -> None:
    """A vector says what it breaks; more errors than one mean that it breaks more."""
    several = [case.name for case in CASES if len(case.codes) > 1]
    assert several == ["manifest-wrong-types"]


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
