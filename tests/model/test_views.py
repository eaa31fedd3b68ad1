"""Tensors as arrays and torch tensors over mapped pages, and parts of them: torch and numpy as oracles."""

import mmap
import os
import random
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ckptkit
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model import views
from ckptkit.model.dtype import DTYPES
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.storage.source import FileSource, Window
from tests.storage.counting import Counting

ROWS = torch.arange(60_000, dtype=torch.float32).reshape(600, 100)
PARTS = [3, -1, slice(10, 20), slice(None), slice(-5, None), slice(0, 600, 7), slice(5, 5), ..., (..., 4)]
PARTS += [(2, 3), (slice(1, 9), 3), (slice(1, 9), slice(2, 80, 3)), (..., slice(1, 2)), (slice(3), ...), ()]


def bits(value: torch.Tensor) -> np.ndarray:
    return value.contiguous().reshape(-1).view(torch.uint8).numpy()


@pytest.fixture(params=["torch-zip", "torch-legacy", "safetensors", "sb3"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file whose tensors `a` (600 x 100 float32) and `b` (bfloat16) lie in it uncompressed."""
    named = {"a": ROWS, "b": ROWS[:3].to(torch.bfloat16)}
    path = tmp_path / "weights"
    if request.param == "safetensors":
        save_file({name: value.contiguous() for name, value in named.items()}, path)
    elif request.param == "sb3":
        inner = tmp_path / "policy.pth"
        torch.save(named, inner)
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("data", "{}")
            made.write(inner, "policy.pth")
            made.writestr("_stable_baselines3_version", "2.3.0")
    else:
        torch.save(named, path, _use_new_zipfile_serialization=request.param == "torch-zip")
    return path


def is_mapped(array: np.ndarray) -> bool:
    owner = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    pages = owner.obj if isinstance(owner, memoryview) else owner
    return isinstance(pages, mmap.mmap)


def test_an_array_has_the_elements_over_pages_that_cannot_be_written(path):
    tensors = ckptkit.read(path).tensors
    array = tensors["a"].numpy()
    assert np.array_equal(array, ROWS.numpy())
    assert not array.flags.writeable
    assert is_mapped(array) is (views.buffer(tensors["a"], writable=False) is not None)
    assert tensors["b"].numpy().dtype == np.uint16
    assert not is_mapped(tensors["a"].array())


def test_a_torch_zip_aligns_its_tensors(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"a": ROWS}, path)
    assert is_mapped(ckptkit.read(path).tensors["a"].numpy())


def test_torch_gets_every_element_without_a_warning_and_may_write_them(path):
    before = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, expected in {"a": ROWS, "b": ROWS[:3].to(torch.bfloat16)}.items():
            value = ckptkit.read(path).tensors[name].torch()
            assert value.dtype is expected.dtype
            assert torch.equal(value, expected)
            value.zero_()
            assert torch.equal(ckptkit.read(path).tensors[name].torch(), expected)
    assert path.read_bytes() == before


@pytest.mark.parametrize("index", PARTS, ids=str)
def test_a_part_is_what_torch_says(path, index):
    part = ckptkit.read(path).tensors["a"][index]
    assert part.shape == tuple(ROWS[index].shape)
    assert np.array_equal(part.numpy(), ROWS[index].numpy())
    assert torch.equal(part.torch(), ROWS[index])
    assert part.sha256 == ""


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (600, IndexError),
        (-601, IndexError),
        ((0, 0, 0), IndexError),
        ((..., ...), IndexError),
        (slice(None, None, -1), ValueError),
        ("a", TypeError),
        (None, TypeError),
        (1.0, TypeError),
    ],
)
def test_what_is_no_part_is_refused(path, index, error):
    with pytest.raises(error):
        ckptkit.read(path).tensors["a"][index]


def test_a_part_reads_a_part(tmp_path):
    file = tmp_path / "raw"
    file.write_bytes(ROWS.numpy().tobytes())
    source = Counting(FileSource(file))  # which maps nothing, so that every byte is counted
    f32 = next(dtype for dtype in DTYPES if dtype.name == "F32")
    tensor = Tensor(f32, (600, 100), (100, 1), 0, Storage(source))
    assert np.array_equal(tensor[10:20].numpy(), ROWS[10:20].numpy())
    assert source.bytes == 10 * 400
    assert tensor[599, 99].numpy() == 59_999
    assert source.bytes == 10 * 400 + 4


def test_reading_and_mapping_touch_one_tensor_of_a_large_file(tmp_path, monkeypatch):
    path = tmp_path / "large.pt"
    torch.save({f"t{number}": torch.full((1 << 18,), float(number)) for number in range(8)}, path)
    seen: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *given: seen.append(given[1]) or pread(*given))
    tensors = ckptkit.read(path).tensors
    assert sum(seen) < 1 << 18
    assert tensors["t5"][7:9].numpy().tolist() == [5.0, 5.0]
    assert sum(seen) < 1 << 18
    assert (tensors["t5"].numpy() == 5).all()
    assert sum(seen) < (1 << 20) + (1 << 18)  # its CRC, once
    assert (tensors["t5"].torch() == 5).all()
    assert sum(seen) < (1 << 20) + (1 << 18)


def test_every_element_type_goes_to_torch(tmp_path):
    named = {}
    for dtype in DTYPES:
        kind = getattr(torch, dtype.torch)
        named[dtype.name] = torch.arange(64, dtype=torch.uint8).remainder(2).view(kind).reshape(2, -1)
    path = tmp_path / "all.safetensors"
    save_file(named, path)
    tensors = ckptkit.read(path).tensors
    assert len(tensors) == len(DTYPES)
    for name, expected in named.items():
        value = tensors[name].torch()
        assert value.dtype is expected.dtype
        assert np.array_equal(bits(value), bits(expected))
        assert tensors[name].numpy().shape == tuple(expected.shape)


def test_a_corrupt_member_is_refused_before_it_is_given_out(tmp_path):
    path = tmp_path / "bad.pt"
    torch.save({"a": ROWS}, path)
    data = bytearray(path.read_bytes())
    at = data.find(ROWS.numpy().tobytes()[:400])
    data[at + 5000] ^= 1
    path.write_bytes(data)
    tensor = ckptkit.read(path).tensors["a"]
    for give in (tensor.numpy, tensor.torch, tensor.array):
        with pytest.raises(UnreadableCheckpointError, match="CRC"):
            give()


def test_a_file_that_became_shorter_is_an_error_and_no_crash(tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file({"a": ROWS}, path)
    tensor = ckptkit.read(path).tensors["a"]
    os.truncate(path, 1000)
    for give in (tensor.numpy, tensor.torch, tensor.array):
        with pytest.raises(UnreadableCheckpointError, match="shorter"):
            give()


def test_views_strides_and_nothing(tmp_path):
    path = tmp_path / "views.pt"
    named = {
        "t": ROWS.T,
        "rows": ROWS[3:5],
        "none": ROWS[:0],
        "one": ROWS[7, 7],
        "wide": ROWS[:, :1].expand(-1, 4),
    }
    torch.save(named, path)
    tensors = ckptkit.read(path).tensors
    for name, expected in named.items():
        assert np.array_equal(tensors[name].numpy(), expected.numpy())
        assert torch.equal(tensors[name].torch(), expected)
    assert np.array_equal(tensors["t"][5:7, ::2].numpy(), ROWS.T[5:7, ::2].numpy())


def test_any_strides_give_what_torch_gives_and_are_written_nowhere_else(tmp_path):
    file = tmp_path / "raw"
    data = np.arange(400, dtype="<f4")
    file.write_bytes(b"\0" * 8 + data.tobytes())
    f32 = next(dtype for dtype in DTYPES if dtype.name == "F32")
    storage = Storage(Window(FileSource(file), 8, data.nbytes))
    draw = random.Random(4)
    shared = overlapping = 0
    for _ in range(500):
        shape = tuple(draw.choice((1, 1, 2, 3, 5)) for _ in range(draw.randrange(4)))
        strides = tuple(draw.choice((0, 1, 1, 2, 3, 5, 7, 15)) for _ in shape)
        tensor = Tensor(f32, shape, strides, draw.randrange(100), storage)
        expected = torch.as_strided(torch.from_numpy(data), shape, strides, tensor.offset)
        assert np.array_equal(tensor.numpy(), expected.numpy())
        assert is_mapped(tensor.numpy())
        given = tensor.torch()
        assert torch.equal(given, expected)
        places = {int(place) for place in expected.reshape(-1)}
        if len(places) < expected.numel():
            overlapping += 1
            assert views.buffer(tensor, writable=True) is None
        given.copy_(torch.arange(given.numel()).reshape(given.shape))
        assert given.reshape(-1).tolist() == list(range(given.numel()))
        shared += views.buffer(tensor, writable=True) is not None
    assert overlapping > 50
    assert shared > 200
    assert file.read_bytes() == b"\0" * 8 + data.tobytes()
