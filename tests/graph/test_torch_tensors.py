"""Tensors of a checkpoint as torch tensors: types, ties, digests, bounds."""

import hashlib
from dataclasses import replace

import pytest
import torch

from ckptkit.errors import IntegrityError, LimitExceededError, UnsupportedTensorError
from ckptkit.graph.torch_tensors import state_dict
from ckptkit.model.dtype import BY_NAME, DTYPES, DType
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.storage.source import MemorySource
from tests.writers.made import Lifted

TYPES = [dtype for dtype in DTYPES if hasattr(torch, dtype.torch)]


def of_bytes(data: bytes, dtype: DType, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    return Tensor(dtype, shape, strides, 0, Storage(MemorySource(data, "bytes")))


def test_most_types_are_tried() -> None:
    assert len(TYPES) >= 15


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_type_keeps_its_bytes(dtype: DType) -> None:
    data = bytes(i % 2 for i in range(6 * dtype.itemsize))
    read = state_dict({"x": of_bytes(data, dtype, (2, 3), (3, 1))}, "cpu", digests=False)["x"]
    assert read.dtype == getattr(torch, dtype.torch)
    assert read.shape == (2, 3)
    assert bytes(read.contiguous().view(torch.uint8).flatten().tolist()) == data


def test_strides_offsets_and_empty_tensors() -> None:
    base = torch.arange(24.0).reshape(4, 6)
    given = {
        "whole": base,
        "turned": base.T,
        "part": base[1:3, 2:4],
        "one": base[3, 5],
        "none": torch.empty(0, 3),
        "again": base[0].expand(5, 6),
    }
    lift = Lifted()
    read = state_dict({name: lift.tensor(value) for name, value in given.items()}, "cpu", digests=False)
    assert list(read) == list(given)
    for name, value in given.items():
        assert read[name].shape == value.shape
        assert torch.equal(read[name], value)


def test_equal_views_of_one_storage_are_one_tensor_and_equal_values_are_two() -> None:
    shared, lift = torch.ones(3), Lifted()
    given = {"a": shared, "b": shared, "c": torch.ones(3), "d": shared[:2]}
    read = state_dict({name: lift.tensor(value) for name, value in given.items()}, "cpu", digests=False)
    assert read["a"] is read["b"]
    assert len({id(value) for value in read.values()}) == 3
    read["a"].zero_()
    assert read["c"].all()


def test_the_order_of_bytes_is_turned() -> None:
    storage = Storage(MemorySource(bytes([0, 0, 1, 2]), "bytes"), big_endian=True)
    tensor = Tensor(BY_NAME["I16"], (2,), (1,), 0, storage)
    assert state_dict({"x": tensor}, "cpu", digests=False)["x"].tolist() == [0, 258]


def test_every_tensor_is_compared_with_its_own_digest() -> None:
    tensor = of_bytes(bytes(8), BY_NAME["F32"], (2,), (1,))
    good = replace(tensor, sha256=hashlib.sha256(bytes(8)).hexdigest())
    state_dict({"x": good}, "cpu", digests=True)
    for bad in (tensor, replace(tensor, sha256="0" * 64)):
        with pytest.raises(IntegrityError, match="tensor y differs from its digest"):
            state_dict({"x": good, "y": bad}, "cpu", digests=True, where="somewhere")


def test_a_few_bytes_do_not_become_gigabytes() -> None:
    tensor = of_bytes(bytes(4), BY_NAME["F32"], (1 << 20, 1 << 20), (0, 0))
    with pytest.raises(LimitExceededError, match="repeats its elements"):
        state_dict({"x": tensor}, "cpu", digests=False)


def test_a_type_that_this_torch_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch, "uint16")
    with pytest.raises(UnsupportedTensorError, match=r"tensor x: torch .* has no uint16"):
        state_dict({"x": of_bytes(bytes(2), BY_NAME["U16"], (1,), (1,))}, "cpu", digests=False)
