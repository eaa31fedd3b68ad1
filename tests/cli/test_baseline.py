"""Findings that a project has accepted."""

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

from ckptkit import api, schema
from ckptkit.api.baselining import apply_baseline
from ckptkit.errors import UsageError
from tests.conftest import Call
from tests.corpus import CHECKOUT

BASELINE = "ckptkit-baseline.json"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ckptkit: Call) -> Path:
    """Two bundles: one with a tensor that differs, and one with a stray file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    source = CHECKOUT / "fixtures/sb3/old_gym/model.zip"
    assert ckptkit("convert", source, "--to", "deploy", "-o", "models/a").status == 0
    shutil.copytree("models/a", "models/b")
    weights = tmp_path / "models/a/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    (tmp_path / "models/b/notes.txt").write_text("x")
    return tmp_path


def codes(ckptkit: Call, *arguments: object) -> list[str]:
    document = json.loads(ckptkit("validate", "models", "--format", "json", *arguments).out)
    return [finding["code"] for result in document["results"] for finding in result["findings"]]


def test_what_is_accepted_is_not_reported_and_what_is_new_is(models: Path, ckptkit: Call) -> None:
    before = codes(ckptkit)
    assert {"CK301", "CK306"} <= set(before)
    run = ckptkit("baseline", "models", "--reason", "known damage")
    assert (run.status, run.err) == (0, "")
    document = json.loads((models / BASELINE).read_text())
    assert schema.validate("baseline-1.0", document, strict=True) == []
    assert sorted(row["code"] for row in document["findings"]) == sorted(before)
    assert {row["path"] for row in document["findings"]} == {
        "models/a/model.safetensors",
        "models/b/notes.txt",
    }
    assert codes(ckptkit, "--baseline", BASELINE) == []
    assert ckptkit("validate", "models", "--baseline", BASELINE).status == 0
    (models / "models/b/more.txt").write_text("x")
    assert codes(ckptkit, "--baseline", BASELINE) == ["CK306"]


def test_the_settings_name_the_baseline(models: Path, ckptkit: Call) -> None:
    (models / "ckptkit.toml").write_text('baseline = "known/base.json"\n')
    assert ckptkit("validate", "models").status == 2
    assert ckptkit("baseline", "models", "--reason", "r").status == 0
    assert (models / "known/base.json").is_file()
    assert codes(ckptkit) == []
    assert codes(ckptkit, "--no-config") != []


def test_reports_keep_what_was_accepted_and_why(models: Path, ckptkit: Call) -> None:
    ckptkit("baseline", "models", "--reason", "known | damage")
    document = json.loads(ckptkit("validate", "models", "--format", "json", "--baseline", BASELINE).out)
    assert schema.validate("validate-report-1.0", document, strict=True) == []
    accepted = [one for result in document["results"] for one in result["accepted"]]
    assert {one["reason"] for one in accepted} == {"known | damage"}
    assert document["summary"]["accepted"] == len(accepted) >= 2
    sarif = json.loads(ckptkit("validate", "models", "--format", "sarif", "--baseline", BASELINE).out)
    results = sarif["runs"][0]["results"]
    assert len(results) == len(accepted)
    assert all(one["suppressions"][0]["justification"] == "known | damage" for one in results)
    assert (
        f"{len(accepted)} accepted by the baseline"
        in ckptkit("validate", "models", "--baseline", BASELINE).out
    )


def test_an_entry_expires(models: Path, ckptkit: Call) -> None:
    ckptkit("baseline", "models/a", "--reason", "until it is copied again", "--expires", "2026-06-30")
    report = api.validate(["models/a"])
    inside = apply_baseline(report, BASELINE, dt.date(2026, 6, 30))
    outside = apply_baseline(report, BASELINE, dt.date(2026, 7, 1))
    assert inside.results[0].findings == ()
    assert outside.results[0].findings == report.results[0].findings
    assert "was accepted until 2026-06-30" in outside.remarks[0]


def test_an_entry_that_occurs_no_more_is_said_and_removed(models: Path, ckptkit: Call) -> None:
    ckptkit("baseline", "models", "--reason", "first")
    (models / "models/b/notes.txt").unlink()
    run = ckptkit("validate", "models", "--baseline", BASELINE)
    assert run.status == 0
    assert "occurs no more" in run.out
    assert "occurs no more" not in ckptkit("validate", "models/a", "--baseline", BASELINE).out
    (models / "models/b/other.txt").write_text("x")
    assert "1 added" in ckptkit("baseline", "models", "--reason", "second").out
    rows = json.loads((models / BASELINE).read_text())["findings"]
    reasons = {row["path"]: row["reason"] for row in rows}
    assert reasons == {"models/a/model.safetensors": "first", "models/b/other.txt": "second"}


def test_entries_elsewhere_stay(models: Path, ckptkit: Call) -> None:
    ckptkit("baseline", "models", "--reason", "first")
    assert "0 added, 1 kept, 0 removed" in ckptkit("baseline", "models/b", "--reason", "second").out
    assert len(json.loads((models / BASELINE).read_text())["findings"]) >= 2


def test_a_finding_is_known_by_its_place_and_not_its_figures(models: Path, ckptkit: Call) -> None:
    ckptkit("baseline", "models", "--reason", "r")
    weights = models / "models/a/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7e")
    assert codes(ckptkit, "--baseline", BASELINE) == []


def test_what_cannot_be_checked_cannot_be_accepted(models: Path, ckptkit: Call) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n"
    (models / "models/c.pt").write_text(pointer)
    run = ckptkit("baseline", "models", "--reason", "r")
    assert run.status == 2
    assert "not checked" in run.err
    assert not (models / BASELINE).exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"findings": [{"code": "CK301"}]}',
        '{"findings": 1}',
        "nan",
        '{"findings": [], "findings": []}',
    ],
)
def test_a_broken_baseline_is_an_error_and_hides_nothing(models: Path, ckptkit: Call, text: str) -> None:
    (models / BASELINE).write_text(text)
    run = ckptkit("validate", "models", "--baseline", BASELINE)
    assert (run.status, run.out) == (2, "")
    assert BASELINE in run.err
    assert ckptkit("baseline", "models", "--reason", "r").status == 2
    assert (models / BASELINE).read_text() == text


@pytest.mark.parametrize("arguments", [("--reason", " "), ("--reason", "r", "--expires", "soon"), ()])
def test_a_baseline_needs_a_reason_and_days_that_are_days(
    models: Path, ckptkit: Call, arguments: tuple
) -> None:
    assert ckptkit("baseline", "models", *arguments).status == 2
    assert not (models / BASELINE).exists()


def test_an_entry_with_a_day_that_is_none_is_refused(models: Path, ckptkit: Call) -> None:
    ckptkit("baseline", "models", "--reason", "r", "--expires", "2026-06-30")
    text = (models / BASELINE).read_text().replace("2026-06-30", "2026-06-31")
    (models / BASELINE).write_text(text)
    with pytest.raises(UsageError, match="2026-06-31"):
        apply_baseline(api.validate(["models"]), BASELINE)
