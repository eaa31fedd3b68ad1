"""Without any one rule some vector is judged otherwise: none is idle, and none breaks unseen."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ckptkit import api, checks
from ckptkit.api import checking
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.results import Report, Validation
from ckptkit.model.settings import Settings
from tests.conformance.cases import CASES, Case
from tests.corpus import CHECKOUT

TRIED = 3
"""Vectors that name a rule and are judged without it, one after the other."""


def problem(case: Case) -> str:
    """Say in what a vector is judged otherwise than it states."""
    report = api.validate(case.path, level=case.level, strict=case.strict)
    (result,) = report.results
    errors = {found.code for found in result.findings if found.severity is Severity.ERROR}
    return case.problem(errors, {found.code for found in result.findings} - errors, result.level)


def silenced(
    check: Callable[..., Iterator[Finding]] | None, code: str
) -> Callable[..., Iterator[Finding]] | None:
    """Return a check that says what it said but for one rule."""
    return check and (lambda *given: (found for found in check(*given) if found.code != code))


def remove(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a rule out of the registry, and its findings out of others' checks and of readers' errors."""
    kept = tuple(
        replace(rule, check=silenced(rule.check, code), compare=silenced(rule.compare, code))
        for rule in checks.rules()
        if rule.code != code
    )
    gone = checks.find(code)
    level_of, validate = checking.level_of, api.validate

    def without(*given: object, **options: object) -> Report:
        report = validate(*given, **options)
        findings = [tuple(found for found in one.findings if found.code != code) for one in report.results]
        results = (replace(one, findings=left) for one, left in zip(report.results, findings, strict=True))
        return replace(report, results=tuple(results))

    monkeypatch.setattr(checks, "rules", lambda: kept)
    monkeypatch.setattr(checking, "level_of", lambda other: gone.level if other == code else level_of(other))
    if gone.check is None and gone.compare is None:
        monkeypatch.setattr(api, "validate", without)


def judged(path: Path, **options: object) -> Validation:
    (result,) = api.validate(path, **options).results
    return result


def weights(values: list[list[float]]) -> Callable[[Path], Validation]:
    """Return what is said of a file with one weight, when its values are looked into."""

    def make(folder: Path) -> Validation:
        folder.mkdir()
        torch.save({"layer.weight": torch.tensor(values)}, folder / "state.pt")
        return judged(folder / "state.pt", settings=Settings(weights=True))

    return make


def world_writable(folder: Path) -> Validation:
    weights([[1.0, 2.0]])(folder)
    (folder / "state.pt").chmod(0o666)
    return judged(folder / "state.pt")


def in_git(folder: Path) -> Validation:
    """Return what is said of a large file in a repository without Git LFS; it is sparse on the disk."""
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    torch.save({"layer.weight": torch.zeros(13_000_000)}, folder / "state.pt")
    return judged(folder / "state.pt")


def oversized(folder: Path) -> Validation:
    weights([[1.0, 2.0]])(folder)
    return judged(folder / "state.pt", settings=Settings(max_bytes=100))


def inaccessible(folder: Path) -> Validation:
    """Return what is said of a file that the system does not let be read, whoever asks."""
    weights([[1.0, 2.0]])(folder)
    real = os.open

    def refuse(path: object, *args: object, **options: object) -> int:
        if str(path).endswith("state.pt"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refuse)
        return judged(folder / "state.pt")


def half_replaced(folder: Path) -> Validation:
    """Return what is said of an agent of whose files one still waits for its place."""
    (folder / ".model.zip.ckptkit-set").mkdir(parents=True)
    (folder / ".model.zip.ckptkit-set" / "1").touch()
    shutil.copyfile(CHECKOUT / "fixtures" / "sb3" / "ppo" / "model.zip", folder / "model.zip")
    return judged(folder / "model.zip")


SETUPS: dict[str, Callable[[Path], Validation]] = {
    "CK114": inaccessible,
    "CK116": half_replaced,
    "CK602": weights([[1.0, float("inf")]]),
    "CK603": weights([[0.5, 0.5], [0.5, 0.5]]),
    "CK702": world_writable,
    "CK703": in_git,
    "CK704": oversized,
}
"""What shows a rule that no vector can: modes, repositories, killed runs, settings, weights one by one."""
RULES = [rule.code for rule in checks.rules()]


@pytest.mark.parametrize("code", RULES)
def test_without_a_rule_a_vector_fails(code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    naming = [case for case in CASES if code in (*case.codes, *case.notes, *case.advice)][:TRIED]
    if not naming:
        assert code in SETUPS, "no vector names the rule, and nothing else shows it"
        assert code in {found.code for found in SETUPS[code](tmp_path / "with").findings}
        remove(code, monkeypatch)
        assert code not in {found.code for found in SETUPS[code](tmp_path / "without").findings}
        return
    assert [problem(case) for case in naming] == [""] * len(naming)
    remove(code, monkeypatch)
    assert any(problem(case) for case in naming)
