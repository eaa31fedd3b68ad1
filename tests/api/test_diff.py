"""In what two checkpoints differ, with torch and numpy as oracles for the distances."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import ckptkit
from ckptkit import api
from ckptkit.api import distances
from ckptkit.api.comparing import changes
from ckptkit.errors import NotACheckpointError, UnsafeCheckpointError
from ckptkit.model.difference import Change, TensorChange
from tests.corpus import CHECKOUT
from tests.recovery.seed_models import Dqn, model_config, versioned

FIXTURES = CHECKOUT / "fixtures"
SOURCES = sorted([*FIXTURES.glob("sb3/*/*.zip"), *FIXTURES.glob("torch/*/model.pt*")])


def save(path: Path, **tensors: torch.Tensor) -> Path:
    torch.save(tensors, path)
    return path


def only(a: Path, b: Path) -> TensorChange:
    (change,) = ckptkit.diff(a, b).model.changed
    return change


@pytest.mark.parametrize("to", ["v2", "deploy"])
def test_a_file_equals_the_bundle_that_is_made_from_it(tmp_path: Path, to: str) -> None:
    compared = 0
    for number, source in enumerate(SOURCES):
        try:
            api.convert(source, to, tmp_path / str(number))
        except ckptkit.errors.CkptkitError:
            continue
        found = ckptkit.diff(source, tmp_path / str(number))
        assert found.equal, found
        compared += 1
    assert compared >= 15


@pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "complex64"])
def test_distances_are_those_of_torch(tmp_path: Path, name: str) -> None:
    dtype = getattr(torch, name)
    torch.manual_seed(3)
    one, other = torch.randn(7, 50), torch.randn(7, 50)
    if dtype.is_complex:
        one, other = torch.complex(one, other), torch.complex(other, one * 2)
    one, other = one.to(dtype), other.to(dtype)
    other.view(torch.uint8)[:3] = one.view(torch.uint8)[:3]
    wide = torch.complex128 if dtype.is_complex else torch.float64
    left, right = (
        value.to(torch.float32 if dtype.itemsize == 1 else wide).to(wide) for value in (one, other)
    )
    apart = only(save(tmp_path / "a.pt", w=one), save(tmp_path / "b.pt", w=other)).distance
    assert apart is not None
    assert (apart.total, apart.elements) == (350, int((left != right).sum()))
    assert apart.norm == pytest.approx(float((right - left).norm()))
    assert apart.largest == pytest.approx(float((right - left).abs().max()))
    cosine = float((left.conj() * right).real.sum() / (left.norm() * right.norm()))
    assert apart.cosine == pytest.approx(cosine)


def test_large_integers_are_compared_exactly(tmp_path: Path) -> None:
    a = save(tmp_path / "a.pt", w=torch.tensor([2**53, -(2**63)]))
    b = save(tmp_path / "b.pt", w=torch.tensor([2**53 + 1, -(2**63)]))
    apart = only(a, b).distance
    assert apart is not None
    assert (apart.elements, apart.largest, apart.norm) == (1, 1.0, 1.0)
    far = only(a, save(tmp_path / "c.pt", w=torch.tensor([2**53, 2**63 - 1]))).distance
    assert far is not None
    assert far.largest == float(2**64 - 1)


def test_nan_and_infinity_are_counted_and_left_out(tmp_path: Path) -> None:
    nan, inf = math.nan, math.inf
    a = save(tmp_path / "a.pt", w=torch.tensor([nan, nan, inf, -inf, 1.0, 2.0]))
    b = save(tmp_path / "b.pt", w=torch.tensor([nan, 0.0, inf, inf, 1.0, 5.0]))
    apart = only(a, b).distance
    assert apart is not None
    assert (apart.elements, apart.not_finite, apart.norm, apart.largest) == (3, 2, 3.0, 3.0)


def test_bits_that_change_no_value_are_a_difference_of_no_size(tmp_path: Path) -> None:
    a, b = save(tmp_path / "a.pt", w=torch.tensor([0.0])), save(tmp_path / "b.pt", w=torch.tensor([-0.0]))
    apart = only(a, b).distance
    assert apart is not None
    assert (apart.elements, apart.largest, apart.cosine) == (0, 0.0, None)
    assert not ckptkit.diff(a, b).equal


def test_a_cast_is_measured_by_value(tmp_path: Path) -> None:
    weights = torch.tensor([1.0, 2.5, -3.0])
    a = save(tmp_path / "a.pt", w=weights)
    change = only(a, save(tmp_path / "b.pt", w=weights.bfloat16()))
    assert (change.before.dtype, change.after.dtype) == ("F32", "BF16")
    assert change.distance is not None
    assert change.distance.elements == 0
    rough = only(
        save(tmp_path / "c.pt", w=weights + 0.01), save(tmp_path / "d.pt", w=weights.half())
    ).distance
    assert rough is not None
    assert rough.elements == 3


def test_added_removed_renamed_and_reshaped(tmp_path: Path) -> None:
    w = torch.arange(6.0)
    a = save(tmp_path / "a.pt", kept=w, old=w + 1, gone=w + 2, shape=w, twin=w + 3)
    b = save(tmp_path / "b.pt", kept=w, new=w + 1, more=w + 4, shape=w.reshape(2, 3), one=w + 3, two=w + 3)
    found = ckptkit.diff(a, b).model
    assert found.renamed == (("old", "new"), ("twin", "one"))
    assert [row.name for row in found.added] == ["more", "two"]
    assert [row.name for row in found.removed] == ["gone"]
    assert [(change.name, change.distance) for change in found.changed] == [("shape", None)]
    assert found.same == 1


def test_strided_views_are_compared_by_their_values(tmp_path: Path) -> None:
    base = torch.arange(600_000.0).reshape(600, 1000)
    a, b = save(tmp_path / "a.pt", w=base.t()), save(tmp_path / "b.pt", w=base.t().contiguous())
    assert ckptkit.diff(a, b).equal
    other = base.t().contiguous()
    other[999, 599] += 1
    apart = only(a, save(tmp_path / "c.pt", w=other)).distance
    assert apart is not None
    assert (apart.elements, apart.largest) == (1, 1.0)


def test_memory_is_bounded_by_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "BLOCK_ELEMENTS", 100)
    seen: list[int] = []
    decode = distances.decoded

    def watched(piece: bytes, dtype: str) -> "np.ndarray[object, object]":
        seen.append(len(piece))
        return decode(piece, dtype)

    monkeypatch.setattr(distances, "decoded", watched)
    a = save(tmp_path / "a.pt", w=torch.zeros(1001))
    apart = only(a, save(tmp_path / "b.pt", w=torch.ones(1001).double())).distance
    assert apart is not None
    assert (apart.elements, apart.norm) == (1001, pytest.approx(math.sqrt(1001)))
    assert max(seen) <= 800
    assert len(seen) == 22


def test_fields_layers_and_training_state_are_compared(tmp_path: Path) -> None:
    shape = (2, 36, 36)
    for name, actions in (("a", 4), ("b", 6)):
        torch.manual_seed(0)
        made = Dqn(shape, actions)
        torch.save(versioned(made, model_config(made, shape)), tmp_path / f"{name}.pth")
    found = ckptkit.diff(tmp_path / "a.pth", tmp_path / "b.pth")
    assert "/model_config/n_action" in {change.place for change in found.fields}
    assert "/config/n_action" in {change.place for change in found.config}
    assert {layer.name for layer in found.layers} == {"fc.2"}
    assert {change.name for change in found.model.changed} >= {"fc.2.weight", "fc.2.bias"}


def test_optimizer_states_are_compared(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(module.parameters())
    for name in ("a", "b"):
        module(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        state = {"model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict()}
        torch.save(state, tmp_path / f"{name}.pt")
    found = ckptkit.diff(tmp_path / "a.pt", tmp_path / "b.pt")
    assert len(found.training.changed) >= 4
    assert found.fields == ()


def test_bundles_are_compared_in_what_only_manifests_say(tmp_path: Path) -> None:
    for name in ("a", "b"):
        torch.save({"w": torch.ones(2)}, tmp_path / f"{name}.pt")
        api.convert(tmp_path / f"{name}.pt", "deploy", tmp_path / name)
    places = {change.place for change in ckptkit.diff(tmp_path / "a", tmp_path / "b").fields}
    assert places
    assert all(place.startswith("/lineage/files/0/") for place in places)


def test_json_documents_are_compared_by_place() -> None:
    found = list(
        changes({"a": 1, "b/c": [{"x": 1}], "d": [1, 2]}, {"a": True, "b/c": [{"x": 2}], "d": [1], "e": None})
    )
    assert [(change.place, change.change) for change in found] == [
        ("/a", Change.CHANGED),
        ("/b~1c/0/x", Change.CHANGED),
        ("/d", Change.CHANGED),
        ("/e", Change.ADDED),
    ]


def test_digests_of_a_manifest_are_not_believed(tmp_path: Path) -> None:
    bundle, damaged = tmp_path / "bundle", tmp_path / "damaged"
    api.convert(save(tmp_path / "a.pt", w=torch.arange(64.0)), "deploy", bundle)
    shutil.copytree(bundle, damaged)
    path = damaged / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert [change.name for change in ckptkit.diff(bundle, damaged).model.changed] == ["w"]


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    a = save(tmp_path / "a.pt", w=torch.ones(1))
    with pytest.raises(NotACheckpointError):
        ckptkit.diff(a, tmp_path / "nothing.pt")
    unsafe = FIXTURES / "conformance" / "pickle-forbidden-call"
    (path,) = [path for path in unsafe.rglob("*.pt*") if path.is_file()][:1]
    with pytest.raises(UnsafeCheckpointError):
        ckptkit.diff(a, path)


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    from ckptkit import report, schema

    a = save(tmp_path / "a.pt", w=torch.tensor([1e300], dtype=torch.float64), x=torch.ones(1))
    b = save(tmp_path / "b.pt", w=torch.tensor([-1e300], dtype=torch.float64), y=torch.ones(2))
    document = json.loads(report.difference(ckptkit.diff(a, b), "json"))
    assert schema.validate("diff-report-1.0", document, strict=True) == []
    assert document["tensors"]["changed"][0]["distance"]["norm"] == {"$float": "inf"}
