"""Every fixture of `fixtures/torch` is read as its `expected.json` says."""

import json
from pathlib import Path
from typing import Any

import pytest

import ckptkit
from ckptkit import errors
from ckptkit.digest import tensor_sha256
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import tensors_in

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "torch"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/expected.json"))


def _expected(case: str) -> tuple[Path, dict[str, Any]]:
    expected = json.loads((FOLDER / case / "expected.json").read_text(encoding="utf-8"))
    return FOLDER / case / expected["file"], expected


def _spelled(tensors: dict[str, Tensor]) -> dict[str, list[object]]:
    return {name: [t.dtype.name, list(t.shape), tensor_sha256(t)] for name, t in tensors.items()}


@pytest.mark.parametrize("case", CASES)
def test_fixture(case: str) -> None:
    path, expected = _expected(case)
    if "error" in expected:
        with pytest.raises(getattr(errors, expected["error"])):
            ckptkit.read(path)
        return
    checkpoint = ckptkit.read(path)
    assert checkpoint.format == expected["format"]
    assert checkpoint.format_version == expected["format_version"]
    assert checkpoint.container == expected["container"]
    assert checkpoint.verdict == expected["verdict"]
    assert list(checkpoint.tensors) == list(expected["tensors"])
    assert _spelled(dict(checkpoint.tensors)) == expected["tensors"]
    assert _spelled(tensors_in(checkpoint.training_state)) == expected["training_tensors"]
    assert list(checkpoint.model_config) == expected["model_config"]
    assert list(checkpoint.training_info) == expected["training_info"]
    assert [note.kind for note in checkpoint.notes] == expected["notes"]


def test_there_are_fixtures() -> None:
    assert len(CASES) >= 27
