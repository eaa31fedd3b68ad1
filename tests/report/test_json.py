"""JSON reports: valid under their schemas, strict JSON, and the same for the same result."""

import json
from dataclasses import replace

import pytest

from ckptkit import checks, report, schema
from ckptkit.model.ijson import problems
from ckptkit.model.results import Report
from tests.report.results import CLEAN, INSPECTION, RECEIPT, REPORT


def test_an_inspection_keeps_its_contract_and_its_schema() -> None:
    text = report.inspections([INSPECTION], "json")
    document = json.loads(text)
    contract = ("path", "format", "format_version", "verdict", "level", "content_digest", "tensors", "spaces")
    assert document.keys() >= {*contract, "architecture", "training_info", "code"}
    assert schema.validate("inspect-report-1.0", document, strict=True) == []
    assert document["tensors"][0] == {
        "name": "actor.weight",
        "dtype": "F32",
        "shape": [64, 6],
        "nbytes": 1536,
    }
    assert document["tensors"][2]["alias_of"] == "actor.weight"
    assert document["training_info"] == {
        "num_timesteps": 1_003_520,
        "best": {"$float": "-inf"},
        "gamma": 0.99,
        "shape": {"$tuple": [4, 84]},
    }
    assert document["spaces"]["observation"]["low"] == {"$float": "-inf"}
    assert document["model_config"]["activation_fn"] == {"$class": "torch.nn:ELU"}


def test_one_inspection_is_an_object_and_any_other_number_an_array() -> None:
    assert isinstance(json.loads(report.inspections([INSPECTION], "json")), dict)
    assert len(json.loads(report.inspections([INSPECTION, INSPECTION], "json"))) == 2
    assert json.loads(report.inspections([], "json")) == []


def test_a_validation_keeps_its_contract_and_its_schema() -> None:
    document = json.loads(report.validations(REPORT, "json"))
    assert schema.validate("validate-report-1.0", document, strict=True) == []
    assert document["summary"] == {
        "checked": 3,
        "ok": 1,
        "failed": 1,
        "incomplete": 1,
        "errors": 3,
        "warnings": 1,
        "skipped": 1,
        "accepted": 0,
    }
    assert [result["path"] for result in document["results"]] == [
        "models/slot1",
        "models/slot2",
        "models/slot3",
    ]
    assert document["results"][1]["findings"][1] == {
        "code": "CK301",
        "severity": "error",
        "path": "models/slot2/model.safetensors",
        "location": "actor.2.weight",
        "message": "tensor actor.2.weight differs from its digest: expected 9f2c41…, got 77ab03…",
        "fix": "restore the file from its source (lineage: ppo.zip, sha256 1b3e…)",
    }
    assert "fix" not in document["results"][1]["findings"][0]
    assert document["results"][2]["incomplete"] == "content not present"
    assert document["results"][0]["incomplete"] is None


def test_a_receipt_keeps_its_schema() -> None:
    for receipt in (RECEIPT, replace(RECEIPT, written=None, dry_run=True)):
        document = json.loads(report.receipt(receipt, "json"))
        assert schema.validate("convert-receipt-1.0", document, strict=True) == []
    assert json.loads(report.receipt(RECEIPT, "json"))["written"]["files"][1]["size"] == 50_000


def test_rules_as_json() -> None:
    listed = json.loads(report.rules(checks.rules(), "json"))
    assert [rule["code"] for rule in listed] == [rule.code for rule in checks.rules()]
    one = json.loads(report.explanation(checks.find("CK206"), "json"))
    assert (one["severity"], one["strict_severity"]) == ("info", "error")


@pytest.mark.parametrize(
    "text",
    [
        report.inspections([INSPECTION], "json"),
        report.validations(REPORT, "json"),
        report.validations(CLEAN, "json"),
        report.validations(Report(()), "json"),
        report.receipt(RECEIPT, "json"),
        report.rules(checks.rules(), "json"),
    ],
)
def test_every_report_is_ascii_i_json_with_a_newline_at_the_end(text: str) -> None:
    assert problems(text.encode("ascii")) == ()
    assert text.endswith(("}\n", "]\n"))


def test_equal_results_give_equal_text() -> None:
    assert report.validations(REPORT, "json") == report.validations(replace(REPORT), "json")
