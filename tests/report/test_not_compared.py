"""Every form of the report says which recorded digests `--verify` left out; none calls them clean."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from junitparser import JUnitXml

from ckptkit import api, checks, report
from ckptkit.model.finding import Verdict
from ckptkit.model.results import Report, Validation
from ckptkit.model.settings import Settings
from ckptkit.model.verify import Verify
from tests.conftest import Call, safetensors_bytes

TENSORS, FILE = "the sha256 of its tensors", "the sha256 of model.safetensors"
LEFT = {
    ("bundle", Verify.ALL): {},
    ("bundle", Verify.TENSORS): {"CK302": FILE},
    ("bundle", Verify.FILES): {"CK301": TENSORS},
    ("bundle", Verify.HEADER): {"CK301": TENSORS, "CK302": FILE},
    ("dict.pt", Verify.ALL): {},
    ("dict.pt", Verify.TENSORS): {},
    ("dict.pt", Verify.FILES): {},
    ("dict.pt", Verify.HEADER): {"CK301": TENSORS},
    ("legacy.pt", Verify.ALL): {},
    ("legacy.pt", Verify.TENSORS): {},
    ("legacy.pt", Verify.FILES): {},
    ("legacy.pt", Verify.HEADER): {"CK313": "the checksums of its members"},
}
CASES = [(name, verify, left) for (name, verify), left in LEFT.items()]


@pytest.fixture
def models(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle, a version 2 torch dict and a legacy file, all sound."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    api.convert(bundle, "v2", tmp_path / "dict.pt")
    torch.save({"net.weight": torch.ones(3, 4)}, tmp_path / "legacy.pt")
    return tmp_path


def of_markdown(text: str) -> str:
    return text.replace("\\", "")


def of_gitlab(text: str) -> str:
    issues = [one for one in json.loads(text) if one["check_name"] == "not-compared"]
    assert {one["severity"] for one in issues} <= {"info"}
    return "\n".join(one["description"] for one in issues)


def of_sarif(text: str) -> str:
    (invocation,) = json.loads(text)["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is True
    said = invocation["toolExecutionNotifications"]
    assert {one["level"] for one in said} <= {"note"}
    return "\n".join(one["message"]["text"] for one in said)


def of_json(text: str) -> str:
    (result,) = json.loads(text)["results"]
    return f"not compared: {result['not_compared']}" if result["not_compared"] else ""


def of_junit(text: str) -> str:
    return ET.fromstring(text.encode()).findtext("testsuite/system-out") or ""  # noqa: S314


FORMS: dict[str, Callable[[str], str]] = {
    "text": str,
    "json": of_json,
    "sarif": of_sarif,
    "junit": of_junit,
    "github": str,
    "gitlab": of_gitlab,
    "md": of_markdown,
    "html": unescape,
}


def test_every_form_is_tested() -> None:
    assert set(FORMS) == set(report.VALIDATION_FORMS)
    assert {verify for _, verify in LEFT} == set(Verify)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "verify", "left"), CASES)
def test_each_form_says_what_was_left_out(
    models: Path, ckptkit: Call, form: str, name: str, verify: Verify, left: dict[str, str]
) -> None:
    run = ckptkit("validate", name, "--verify", verify, "--format", form)
    assert (run.status, run.err) == (0, "")
    said = FORMS[form](run.out)
    if left:
        assert f"not compared: {' and '.join(left.values())}" in said
    else:
        assert "not compared" not in run.out


@pytest.mark.parametrize(("name", "verify", "left"), CASES)
def test_junit_passes_no_rule_that_was_not_applied(
    models: Path, ckptkit: Call, name: str, verify: Verify, left: dict[str, str]
) -> None:
    (suite,) = JUnitXml.fromstring(
        ckptkit("validate", name, "--verify", verify, "--format", "junit").out.encode()
    )
    skipped = {case.name.split()[0]: case.result[0].message for case in suite if case.is_skipped}
    assert left.items() <= {code: why.removeprefix("not compared: ") for code, why in skipped.items()}.items()
    reached = api.validate(name, settings=Settings(verify=verify)).results[0].checked
    above = {rule.code for rule in checks.rules() if rule.level > reached}
    assert set(skipped) == above | set(left) | {"CK601", "CK602", "CK603"}
    assert suite.skipped == len(skipped)


def test_junit_passes_rules_on_weights_where_they_were_looked_into(models: Path, ckptkit: Call) -> None:
    (suite,) = JUnitXml.fromstring(
        ckptkit("validate", "bundle", "--weights", "--format", "junit").out.encode()
    )
    assert not {case.name.split()[0] for case in suite if case.is_skipped} & {"CK601", "CK602", "CK603"}


@pytest.mark.parametrize("words", [("--ignore", "CK301"), ("--select", "CK1,CK302")])
def test_junit_passes_no_rule_that_is_not_reported(
    models: Path, ckptkit: Call, words: tuple[str, str]
) -> None:
    data = bytearray((models / "bundle/model.safetensors").read_bytes())
    data[-1] ^= 1
    (models / "bundle/model.safetensors").write_bytes(data)
    (suite,) = JUnitXml.fromstring(ckptkit("validate", "bundle", *words, "--format", "junit").out.encode())
    (case,) = (one for one in suite if one.name.startswith("CK301"))
    assert case.is_skipped
    assert "not to be reported" in case.result[0].message


def test_a_changed_source_is_left_out_with_the_bytes(
    models: Path, safetensors_file: Path, ckptkit: Call
) -> None:
    """The file that the bundle was made from stands beside it, and is newer than the bundle."""
    safetensors_file.write_bytes(safetensors_bytes({"other": ("U8", [1], b"x")}))
    assert "CK701" in ckptkit("validate", "bundle").out
    run = ckptkit("validate", "bundle", "--verify", "header")
    assert "CK701" not in run.out
    assert "the sha256 of the file that it was made from" in run.out


def test_many_checkpoints_are_counted(models: Path, ckptkit: Call) -> None:
    words = ("validate", "bundle", "legacy.pt", "--verify", "files", "--format")
    for form in ("text", "github"):
        assert f"not compared: {TENSORS} (1 of 2 checkpoints)\n" in ckptkit(*words, form).out
    assert of_gitlab(ckptkit(*words, "gitlab").out) == f"not compared: {TENSORS}"
    rows = [line for line in ckptkit(*words, "md").out.splitlines() if line.startswith("| ")]
    assert [TENSORS in row for row in rows] == [False, True, False]


def test_a_report_for_a_step_summary_says_it(
    models: Path, ckptkit: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    out = ckptkit("validate", "bundle", "--verify", "files").out
    assert f"::notice title=ckptkit validate::not compared: {TENSORS}\n" in out
    assert TENSORS in (models / "summary.md").read_text()


EVIL = "the sha256 of a|b <script>\n::error::x\x1b[31m ]]> \x00"
HOSTILE = Report((Validation("x", 2, Verdict.DATA_ONLY, (), checked=2, not_compared=EVIL),))


@pytest.mark.parametrize("form", FORMS)
def test_a_name_of_a_file_breaks_no_form(form: str) -> None:
    text = report.validations(HOSTILE, form)
    assert "\x1b" not in text
    assert "\x00" not in text
    if form not in ("text", "json", "sarif", "gitlab", "github"):
        assert "<script>" not in text
    if form == "github":
        assert len(text.splitlines()) == 1
    if form == "junit":
        assert "a|b <script>" in of_junit(text)
    if form == "md":
        (row,) = (line for line in text.splitlines() if line.startswith("| x"))
        assert len(re.findall(r"(?<!\\)\|", row)) == 4
