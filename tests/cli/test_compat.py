"""`ckptkit compat`: what it prints and how it ends."""

import json
from pathlib import Path

import torch

from ckptkit import schema
from tests.conftest import Call


def test_full_is_0_and_anything_less_is_1(ckptkit: Call, tmp_path: Path, sb3_zip: Path) -> None:
    run = ckptkit("compat", sb3_zip, sb3_zip)
    assert (run.status, run.err) == (0, "")
    assert run.out.splitlines()[0].endswith(": full")
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "a.pt")
    torch.save({"w": torch.ones(2, 3), "v": torch.ones(1)}, tmp_path / "b.pt")
    run = ckptkit("compat", tmp_path / "a.pt", tmp_path / "b.pt")
    assert run.status == 1
    lines = run.out.splitlines()
    assert lines[0] == f"{tmp_path}/a.pt against {tmp_path}/b.pt: none"
    assert "breaks   tensors · w: has shape [2, 2], and [2, 3] is wanted" in lines
    assert "breaks   tensors · v: is missing; F32[1] is wanted" in lines
    assert f"beside   {tmp_path}/b.pt" in lines
    assert sum(line.startswith("way out") for line in lines) == 4


def test_json_keeps_its_schema(ckptkit: Call, tmp_path: Path, sb3_zip: Path) -> None:
    run = ckptkit("compat", sb3_zip, "-o", tmp_path / "report.json")
    document = json.loads((tmp_path / "report.json").read_text())
    assert schema.validate("compat-report-1.0", document, strict=True) == []
    assert run.status == int(document["fit"] != "full")


def test_what_cannot_be_read_is_2(ckptkit: Call, tmp_path: Path, sb3_zip: Path) -> None:
    for arguments in ([sb3_zip, tmp_path / "nothing"], [tmp_path / "nothing"]):
        run = ckptkit("compat", *arguments)
        assert (run.status, run.out) == (2, "")
