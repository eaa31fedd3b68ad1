"""What `validate` found, in the forms of other programs: read back with libraries that know each form."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from junitparser import JUnitXml
from sarif_pydantic import Sarif

from ckptkit import checks, report
from ckptkit.cli import app
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.json_lines import lines
from ckptkit.model.results import Report, Validation
from tests.report.results import CLEAN, DAMAGED, REPORT

ROOT = Path("/repo")
EVIL = Finding(
    "CK112",
    Severity.INFO,
    'a|b <script>alert("x")</script> `c` ]]> ::error::%0A\n\x1b[31m\x00 \ud800',
    "models/a,b:c/<x>.json",
    "/te\x07nsors/0|",
)
HOSTILE = Report((Validation("models/a,b:c", 0, Verdict.DATA_ONLY, (EVIL, EVIL), checked=1),))
FORMS = ("sarif", "junit", "github", "gitlab", "md", "html")
SCHEMA = Path(os.environ.get("CKPTKIT_SARIF_SCHEMA", Path(sys.prefix) / "share/sarif-2.1.0.json"))
"""The official schema, which `make setup` fetches; it is not ours to hold."""


def driver(text: str) -> dict:
    run = json.loads(text)["runs"][0]
    return run["tool"]["driver"]


@pytest.mark.parametrize("given", [REPORT, CLEAN, HOSTILE], ids=["findings", "clean", "hostile"])
def test_sarif_is_read_by_a_library(given: Report) -> None:
    read = Sarif.model_validate_json(report.validations(given, "sarif"))
    results = read.runs[0].results or []
    assert [one.rule_id for one in results] == [f.code for v in given.results for f in v.findings]
    assert all(one.locations for one in results)


@pytest.mark.parametrize("given", [REPORT, CLEAN, HOSTILE], ids=["findings", "clean", "hostile"])
@pytest.mark.skipif(not SCHEMA.exists(), reason="the official SARIF schema is not installed (make setup)")
def test_sarif_follows_the_official_schema(given: Report) -> None:
    official = json.loads(SCHEMA.read_text())
    official["$schema"] = "http://json-schema.org/draft-07/schema#"
    document = json.loads(report.validations(given, "sarif"))
    assert list(jsonschema.Draft7Validator(official).iter_errors(document)) == []
    assert list(jsonschema.Draft7Validator(official).iter_errors(document | {"runs": 1})) != []


def test_sarif_names_real_files_below_the_root_and_lines_of_manifests() -> None:
    placed = replace(DAMAGED, path=str(ROOT / "a b/ckpt.json"), location="/tensors", line=7)
    outside = replace(DAMAGED, path="/elsewhere/x.pt")
    given = Report((Validation("x", 0, Verdict.DATA_ONLY, (placed, outside)),))
    run = json.loads(report.validations(given, "sarif", root=ROOT))["runs"][0]
    first, second = (one["locations"][0]["physicalLocation"] for one in run["results"])
    assert first == {
        "artifactLocation": {"uri": "a%20b/ckpt.json", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 7},
    }
    assert second == {"artifactLocation": {"uri": "file:///elsewhere/x.pt"}}
    assert run["results"][0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "/tensors"


def test_sarif_says_what_was_not_checked_and_every_rule() -> None:
    text = report.validations(REPORT, "sarif")
    run = json.loads(text)["runs"][0]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 1
    assert [rule["id"] for rule in driver(text)["rules"]] == [rule.code for rule in checks.rules()]
    for result in run["results"]:
        assert driver(text)["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    clean = json.loads(report.validations(CLEAN, "sarif"))["runs"][0]
    assert clean["results"] == []
    assert clean["invocations"][0]["executionSuccessful"] is True


def test_fingerprints_outlive_figures_and_differ_by_place() -> None:
    def prints(given: Report) -> list[str]:
        run = json.loads(report.validations(given, "sarif"))["runs"][0]
        return [one["partialFingerprints"]["finding/v1"] for one in run["results"]]

    other = Report((replace(REPORT.results[1], findings=(replace(DAMAGED, message="other figures"),)),))
    assert prints(other)[0] in prints(REPORT)
    assert len(set(prints(REPORT))) == len(prints(REPORT))
    assert len(set(prints(HOSTILE))) == 2
    gitlab = json.loads(report.validations(REPORT, "gitlab"))
    assert [one["fingerprint"] for one in gitlab] == prints(REPORT)


def test_junit_is_read_back_and_counts_what_was_not_applied_as_skipped() -> None:
    given = Report((*REPORT.results, Validation("d", 1, Verdict.DATA_ONLY, (), checked=1)))
    read = JUnitXml.fromstring(report.validations(given, "junit").encode())
    suites = list(read)
    assert [suite.name for suite in suites] == [result.path for result in given.results]
    for suite, result in zip(suites, given.results, strict=True):
        cases = list(suite)
        assert len(cases) == len(checks.rules()) == suite.tests
        failed = {case.name.split()[0] for case in cases if case.is_failure}
        assert failed == {f.code for f in result.findings if f.severity is Severity.ERROR}
        skipped = {case.name.split()[0] for case in cases if case.is_skipped}
        unapplied = {rule.code for rule in checks.rules() if rule.level > result.checked}
        assert skipped == unapplied - {f.code for f in result.findings}
        assert suite.failures == len(failed)
        assert suite.skipped == len(skipped)
    warned = next(case for case in suites[1] if case.name.startswith("CK306"))
    assert warned.is_passed or not warned.is_failure
    assert "is not listed" in warned.system_out
    assert read.tests == sum(suite.tests for suite in suites)


def test_junit_of_hostile_text_is_xml() -> None:
    root = ET.fromstring(report.validations(HOSTILE, "junit"))  # noqa: S314
    assert "<script>" in "".join(root.itertext())


def test_github_commands_cannot_be_forged() -> None:
    text = report.validations(HOSTILE, "github")
    commands = text.splitlines()
    assert len(commands) == 2
    assert all(
        one.startswith("::notice file=models/a%2Cb%3Ac/<x>.json,title=CK112 reader-note::")
        for one in commands
    )
    assert "%0A" in commands[0]
    levels = [one.split()[0] for one in report.validations(REPORT, "github").splitlines()]
    assert levels == ["::error", "::error", "::warning", "::error"]


def test_gitlab_has_the_fields_that_it_shows() -> None:
    issues = json.loads(report.validations(REPORT, "gitlab"))
    assert len(issues) == 4
    for one in issues:
        assert one.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert re.fullmatch("[0-9a-f]{64}", one["fingerprint"])
        assert one["location"]["lines"]["begin"] >= 1


def test_markdown_keeps_its_table_whatever_a_name_holds() -> None:
    text = report.validations(HOSTILE, "md")
    rows = [line for line in text.splitlines() if line.startswith("| CK112")]
    assert len(rows) == 2
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert "<script>" not in text
    assert "3 checkpoints: 1 ok, 1 failed, 1 incomplete, 1 skipped" in report.validations(REPORT, "md")


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_html_needs_nothing_from_outside_and_runs_nothing() -> None:
    for given in (REPORT, HOSTILE):
        page = Page()
        page.feed(report.validations(given, "html"))
        assert "script" not in page.tags
        assert [link for link in page.links if urlsplit(link).netloc] == []
        assert page.tags.count("details") == len(given.results)
        assert page.tags.count("tr") == sum(len(v.findings) + 1 for v in given.results if v.findings)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_html_is_shown_by_a_browser(tmp_path: Path) -> None:
    page, shot = tmp_path / "report.html", tmp_path / "report.png"
    page.write_text(report.validations(REPORT, "html"), encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'p'}"]
    subprocess.run(
        [*command, "--window-size=900,700", f"--screenshot={shot}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert shot.read_bytes().startswith(b"\x89PNG")
    assert shot.stat().st_size > 10_000


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_twice_and_ends_its_last_line(form: str) -> None:
    for given in (REPORT, CLEAN, HOSTILE, Report(())):
        text = report.validations(given, form, root=ROOT)
        assert text == report.validations(given, form, root=ROOT)
        assert text.endswith("\n") or (form == "github" and not text)


POINTED = b"""{
  "a": [
    1,
    {"b/c": "x,]}{[:", "d~": [[], {}]}
  ],
  "e": null
}"""


def test_pointers_have_the_line_of_their_value() -> None:
    wanted = {
        "": 1,
        "/a": 2,
        "/a/0": 3,
        "/a/1": 4,
        "/a/1/b~1c": 4,
        "/a/1/d~0/1": 4,
        "/e": 6,
        "/a/1/none": 4,
        "/z": 1,
    }
    assert lines(POINTED, wanted) == wanted
    assert lines(b"", [""]) == {}
    assert lines(b"]}", ["/a"]) == {}
    assert lines(b'{"a": 1', ["/a"]) == {"/a": 1}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    fixture = Path(__file__).parents[2] / "fixtures/sb3/old_gym/model.zip"
    assert app.status(["convert", str(fixture), "--to", "deploy", "-o", "models/bad"]) == 0
    manifest = tmp_path / "models/bad/ckpt.json"
    manifest.write_text(manifest.read_text().replace('"F32"', '"F33"', 1))
    (tmp_path / ".git").mkdir()
    yield tmp_path


def test_several_reports_of_one_run(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    outputs = [f"out.{suffix}" for suffix in ("json", "sarif", "xml", "md", "html", "txt")]
    words = [word for output in outputs for word in ("-o", output)]
    assert app.status(["validate", "models", *words]) == 1
    assert capsys.readouterr().out == ""
    sarif = json.loads((models / "out.sarif").read_text())
    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "models/bad/ckpt.json"
    text = (models / "models/bad/ckpt.json").read_text().splitlines()
    assert '"F33"' in text[place["region"]["startLine"] - 1]
    assert JUnitXml.fromstring((models / "out.xml").read_bytes()).failures >= 1
    assert (models / "out.md").read_text().startswith("# ckptkit")
    assert (models / "out.html").read_text().startswith("<!doctype html>")
    assert (models / "out.txt").read_text().startswith("models/bad/ckpt.json: CK202")
    found = json.loads((models / "out.json").read_text())["results"][0]["findings"][0]
    assert found["line"] == place["region"]["startLine"]


def test_one_file_takes_the_form_that_is_asked_for(models: Path) -> None:
    assert app.status(["validate", "models", "--format", "gitlab", "-o", "quality.json"]) == 1
    assert isinstance(json.loads((models / "quality.json").read_text()), list)


def test_a_workflow_of_github_gets_annotations_and_a_summary(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    (models / "summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert app.status(["validate", "models"]) == 1
    printed = capsys.readouterr().out
    assert "models/bad/ckpt.json: CK202" in printed
    assert "::error file=models/bad/ckpt.json,line=" in printed
    assert (models / "summary.md").read_text().startswith("before\n# ckptkit: 1 checkpoint: 1 failed\n")
    assert app.status(["validate", "models", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["summary"]["failed"] == 1
