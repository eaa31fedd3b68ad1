"""How long a manifest may be: as JSON of any kind, and more for the tensors that are there."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import save

from ckptkit.errors import LimitExceededError
from ckptkit.model import ijson, manifest
from ckptkit.storage.manifest_json import examine_manifest
from ckptkit.storage.source import MemorySource
from tests.conftest import Call

numpy = pytest.importorskip("numpy")
FEW, EACH, MORE = 100, 64, 448


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a bound that small texts reach."""
    bound(monkeypatch, FEW)


def bound(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(ijson, "MAX_PARTS", most)
    monkeypatch.setattr(manifest, "DESCRIBED_TENSORS", 2)
    monkeypatch.setitem(ijson.examine.__kwdefaults__, "max_parts", most)


def weights(count: int) -> MemorySource:
    data = save({f"t{i}": numpy.zeros(1, numpy.float32) for i in range(count)})
    return MemorySource(data, "model.safetensors")


def text(parts: int) -> bytes:
    """Return JSON of so many parts: a bracket and commas."""
    return b"[" + b",".join([b"1"] * parts) + b"]"


@pytest.mark.usefixtures("low")
@pytest.mark.parametrize("held", [0, 1, 3])
def test_each_tensor_that_is_there_allows_more(held: int) -> None:
    files = [weights(held)] if held else []
    most = FEW + EACH * held + MORE * min(held, 2)
    assert ijson.parts(text(most)) == most
    assert not examine_manifest(text(most), files).over_limit
    over = examine_manifest(text(most + 1), files)
    assert over.over_limit
    assert over.problems == (f"{most + 1} parts of JSON, at most {most} are read",)


@pytest.mark.usefixtures("low")
def test_tensors_of_a_broken_file_allow_nothing() -> None:
    broken = MemorySource(weights(3).read(0, 40), "model.safetensors")
    assert examine_manifest(text(FEW + 1), [broken]).over_limit


def test_a_part_is_counted_for_what_takes_memory() -> None:
    assert ijson.parts(b'{"a":[1,2,"b"]}') == 1 + 1 + 2 + 2 + 3
    assert ijson.parts(b"1") == 0


@pytest.mark.usefixtures("low")
def test_a_manifest_that_would_not_be_read_is_not_written() -> None:
    rows = [{"name": f"t{i}"} for i in range(20)]
    assert manifest.render({"tensors": rows})
    with pytest.raises(LimitExceededError, match=r"parts of JSON, at most \d+ and 100 are read"):
        manifest.render({"tensors": [{**row, "alias_of": "t"} for row in rows]})


def saved(path: Path, count: int) -> Path:
    import torch

    torch.save({f"layers.{i}.weight": torch.zeros(1) for i in range(count)}, path)
    return path


def test_a_bundle_of_many_tensors_is_read_and_replaced(tmp_path: Path, ckptkit: Call) -> None:
    source = saved(tmp_path / "m.pt", 3000)
    for force in ((), ("--force",)):
        run = ckptkit("convert", source, "--to", "deploy", "-o", tmp_path / "out", *force)
        assert run.status == 0
    assert ijson.parts((tmp_path / "out" / "ckpt.json").read_bytes()) > ijson.MAX_PARTS
    assert ckptkit("validate", tmp_path / "out", "--level", "1").status == 0


def test_a_bundle_over_the_bound_is_refused_with_both_figures(
    tmp_path: Path, ckptkit: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(monkeypatch, 2000)
    source = saved(tmp_path / "m.pt", 2)
    assert ckptkit("convert", source, "--to", "deploy", "-o", tmp_path / "out").status == 0
    path = tmp_path / "out" / "ckpt.json"
    tree = json.loads(path.read_bytes())
    path.write_text(json.dumps(tree | {"x-list": [1] * 4000}), encoding="utf-8")
    run = ckptkit("validate", tmp_path / "out")
    assert run.status == 1
    assert "parts of JSON, at most 3024 are read" in " ".join(run.out.split())
