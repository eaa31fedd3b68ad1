"""`ckptkit diff`: what it prints and how it ends."""

import json
from pathlib import Path

import torch

from ckptkit import schema
from tests.conftest import Call


def test_equal_is_0_and_different_is_1(ckptkit: Call, tmp_path: Path, sb3_zip: Path) -> None:
    assert ckptkit("convert", sb3_zip, "--to", "deploy", "-o", tmp_path / "bundle").status == 0
    run = ckptkit("diff", sb3_zip, tmp_path / "bundle")
    assert (run.status, run.err) == (0, "")
    assert run.out.splitlines()[-1].startswith("equal: ")
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "a.pt")
    torch.save({"w": torch.full((2, 2), 1.5), "v": torch.ones(1)}, tmp_path / "b.pt")
    run = ckptkit("diff", tmp_path / "a.pt", tmp_path / "b.pt")
    assert run.status == 1
    assert "tensor   ~ w F32[2, 2] · 4 of 4 elements · norm 1 · max |Δ| 0.5 · cosine 1.000000" in run.out
    assert "tensor   + v F32[1]" in run.out
    assert run.out.splitlines()[-1] == "2 differences; 0 tensors equal"


def test_json_keeps_its_schema(ckptkit: Call, tmp_path: Path, sb3_zip: Path) -> None:
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "a.pt")
    run = ckptkit("diff", sb3_zip, tmp_path / "a.pt", "-o", tmp_path / "report.json")
    assert (run.status, run.out) == (1, "")
    document = json.loads((tmp_path / "report.json").read_text())
    assert schema.validate("diff-report-1.0", document, strict=True) == []
    assert document["equal"] is False
    assert {change["change"] for change in document["layers"]} == {"removed"}


def test_what_cannot_be_read_is_2(ckptkit: Call, tmp_path: Path, sb3_zip: Path) -> None:
    run = ckptkit("diff", sb3_zip, tmp_path / "nothing")
    assert (run.status, run.out) == (2, "")
    assert "no such file" in run.err
