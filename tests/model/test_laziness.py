"""What one tensor of a file costs: bytes that are read and mapped, memory, and errors once the file changed.

Every read and every mapping of the package goes through `os.pread`, `os.preadv` and `mmap.mmap`: a meter of
these three misses nothing.
"""

import json
import mmap
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ckptkit
from ckptkit.errors import UnreadableCheckpointError
from ckptkit.model.tensor import Tensor
from tests.corpus import CHECKOUT

PAGE = mmap.ALLOCATIONGRANULARITY
OTHERS = 12
"""Tensors of a mebibyte in each file that nobody asks for."""
HEADERS_BYTES = 300_000
"""More than is read of any of the files before a tensor is asked for."""


def numbers(*shape: int) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)


SUBJECTS = {
    "plain": numbers(512, 256),
    "half": numbers(512, 256).to(torch.bfloat16),
    "turned": numbers(512, 256).T,
    "channels_last": numbers(16, 32, 8, 8).contiguous(memory_format=torch.channels_last),
    "stepped": numbers(512, 256)[::2, 3:200],
    "rows": numbers(1024, 256)[100:300],
    "repeated": numbers(256).expand(64, 256),
    "scalar": torch.tensor(7.5),
    "last": numbers(300)[299],
    "empty": numbers(0, 256),
}
STRIDED = {"turned", "channels_last", "stepped"}


def torch_zip(named: dict[str, torch.Tensor], path: Path, shift: int) -> None:
    torch.save(named, path)


def torch_legacy(named: dict[str, torch.Tensor], path: Path, shift: int) -> None:
    """Begin the storages `shift` bytes behind a multiple of 8: a longer name moves them."""
    for length in range(1, 40):
        torch.save({"n" * length: torch.tensor(0.0), **named}, path, _use_new_zipfile_serialization=False)
        if path.read_bytes().find(mark(named)) % 8 == shift:
            return
    raise AssertionError("no name moves the storages to where they are wanted")


def safetensors(named: dict[str, torch.Tensor], path: Path, shift: int) -> None:
    save_file(
        {name: value.clone(memory_format=torch.contiguous_format) for name, value in named.items()}, path
    )


def sb3(named: dict[str, torch.Tensor], path: Path, shift: int) -> None:
    """Begin the inner archive `shift` bytes behind a multiple of 64; its own tensors lie on such."""
    inner = path.with_suffix(".inner")
    torch.save(named, inner)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("data", "{}".ljust(54 + shift))  # behind two headers of 30 bytes and names of 4 and 10
        made.write(inner, "policy.pth")
        made.writestr("_stable_baselines3_version", "2.3.0")
    inner.unlink()


def mark(named: dict[str, torch.Tensor]) -> bytes:
    """Return the first bytes of the storage of `other0`."""
    return named["other0"].numpy()[:64].tobytes()


FORMATS = {"torch-zip": torch_zip, "torch-legacy": torch_legacy, "safetensors": safetensors, "sb3": sb3}
KINDS = [
    ("torch-zip", 0),
    ("torch-legacy", 0),
    ("torch-legacy", 1),
    ("safetensors", 0),
    ("sb3", 0),
    ("sb3", 1),
]
"""Format, and by how much its tensors miss the place where an array can be mapped; 0 where they lie on it."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Path]:
    folder = tmp_path_factory.mktemp("lazy")
    others = {f"other{number}": torch.full((1 << 18,), float(number + 1)) for number in range(OTHERS)}
    made = {}
    for name, shift in KINDS:
        made[name, shift] = folder / f"{name}-{shift}"
        FORMATS[name]({**others, **SUBJECTS}, made[name, shift], shift)
        assert made[name, shift].stat().st_size > OTHERS << 20
    return made


@dataclass
class Meter:
    """What was read and mapped since it was reset."""

    read: int = 0
    pages: list[mmap.mmap] = field(default_factory=list)

    def reset(self) -> None:
        self.read, self.pages = 0, []

    @property
    def mapped(self) -> int:
        return sum(map(len, self.pages))

    def holds(self, address: int) -> bool:
        """Whether an address lies in what was mapped."""
        starts = (np.frombuffer(pages, np.uint8).ctypes.data for pages in self.pages)
        return any(start <= address < start + len(one) for start, one in zip(starts, self.pages, strict=True))


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    made = Meter()
    pread, preadv, real = os.pread, os.preadv, mmap.mmap

    def read(descriptor: int, length: int, offset: int) -> bytes:
        made.read += length
        return pread(descriptor, length, offset)

    def read_into(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        made.read += sum(map(len, buffers))
        return preadv(descriptor, buffers, offset)

    def map_pages(*given: object, **named: object) -> mmap.mmap:
        made.pages.append(real(*given, **named))
        return made.pages[-1]

    monkeypatch.setattr(os, "pread", read)
    monkeypatch.setattr(os, "preadv", read_into)
    monkeypatch.setattr(mmap, "mmap", map_pages)
    return made


def same(found: object, expected: torch.Tensor) -> bool:
    """Whether an array or a tensor has the elements, bfloat16 as bit patterns where it is an array."""
    if isinstance(found, torch.Tensor):
        return found.dtype is expected.dtype and torch.equal(found, expected)
    wanted = expected.view(torch.uint16) if expected.dtype is torch.bfloat16 else expected
    return np.array_equal(np.asarray(found), wanted.numpy())


def part_of(value: torch.Tensor) -> object:
    """Return an index that names a few rows, or all of what has none."""
    return slice(2, 5) if value.ndim else ()


WAYS: dict[str, Callable[[Tensor], object]] = {
    "numpy": Tensor.numpy,
    "torch": Tensor.torch,
    "slice": lambda tensor: tensor[slice(2, 5) if tensor.shape else ()].numpy(),
    "slice-torch": lambda tensor: tensor[slice(2, 5) if tensor.shape else ()].torch(),
}


def span(tensor: Tensor) -> int:
    """Return the bytes from its first element to its last."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    return (last + 1) * tensor.dtype.itemsize if tensor.numel else 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize(("kind", "shift"), KINDS)
def test_one_tensor_costs_no_more_than_its_own_bytes(
    files: dict[tuple[str, int], Path], meter: Meter, kind: str, shift: int, name: str, way: str
) -> None:
    tensors = ckptkit.read(files[kind, shift]).tensors
    assert meter.read < HEADERS_BYTES
    meter.reset()
    expected, tensor = SUBJECTS[name], tensors[name]
    if way.startswith("slice"):
        expected, asked = expected[part_of(expected)], tensor[part_of(expected)]
    else:
        asked = tensor
    found = WAYS[way](tensor)
    assert same(found, expected)
    assert meter.read <= span(asked)
    assert meter.mapped <= (span(asked) + PAGE if asked.numel else 0)
    shared = bool(asked.numel) and not shift and not ("torch" in way and name == "repeated")
    if kind == "safetensors":
        assert tensor.is_contiguous
        shared = bool(asked.numel)
    address = found.data_ptr() if isinstance(found, torch.Tensor) else found.ctypes.data
    assert meter.holds(address) is shared
    if shared and way.startswith("slice"):
        is_member = kind in ("torch-zip", "sb3") and span(asked) == tensor.storage.source.size
        assert meter.read == (span(asked) if is_member else 0)
    if isinstance(found, torch.Tensor) and shared and kind != "safetensors":
        assert found.stride() == expected.stride() or asked.is_contiguous


@pytest.mark.parametrize(("kind", "shift"), KINDS)
def test_parts_of_one_torch_tensor_are_the_same_memory(
    files: dict[tuple[str, int], Path], meter: Meter, kind: str, shift: int
) -> None:
    tensor = ckptkit.read(files[kind, shift]).tensors["plain"]
    meter.reset()
    value = tensor.torch()
    used = meter.read, meter.mapped
    rows = value[5:9]
    assert rows.data_ptr() == value.data_ptr() + 5 * 256 * 4
    rows.fill_(-1)
    assert value[6, 6] == -1
    assert (meter.read, meter.mapped) == used
    assert torch.equal(tensor.torch(), SUBJECTS["plain"])


@pytest.mark.parametrize(("kind", "shift"), KINDS)
@pytest.mark.parametrize("name", sorted(STRIDED | {"repeated", "rows"}))
def test_what_is_written_into_a_tensor_is_nowhere_else(
    files: dict[tuple[str, int], Path], kind: str, shift: int, name: str
) -> None:
    before = files[kind, shift].read_bytes()
    tensors = ckptkit.read(files[kind, shift]).tensors
    value = tensors[name].torch()
    value.fill_(-1)
    assert (value == -1).all()
    assert torch.equal(tensors[name].torch(), SUBJECTS[name])
    assert not tensors[name].numpy().flags.writeable
    assert files[kind, shift].read_bytes() == before


ASKED = [(name, way) for name in ("plain", "turned", "half", "rows", "scalar") for way in WAYS]


@pytest.fixture
def own(files: dict[tuple[str, int], Path], tmp_path: Path) -> Callable[[str, int], Path]:
    """Return a function that gives a copy of a file to change."""

    def copied(kind: str, shift: int) -> Path:
        path = tmp_path / f"{kind}-{shift}"
        path.write_bytes(files[kind, shift].read_bytes())
        os.utime(path, (1_600_000_000, 1_600_000_000))
        return path

    return copied


@pytest.mark.parametrize(("kind", "shift"), KINDS)
def test_a_file_that_was_overwritten_is_refused(
    own: Callable[[str, int], Path], kind: str, shift: int
) -> None:
    path = own(kind, shift)
    tensors = ckptkit.read(path).tensors
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 64)
    for name, way in ASKED:
        with pytest.raises(UnreadableCheckpointError, match="was written to since it was opened") as caught:
            WAYS[way](tensors[name])
        assert str(path) in str(caught.value)
    assert WAYS["numpy"](tensors["empty"]).shape == (0, 256)


@pytest.mark.parametrize(("kind", "shift"), KINDS)
def test_a_file_that_was_cut_is_refused(own: Callable[[str, int], Path], kind: str, shift: int) -> None:
    path = own(kind, shift)
    tensors = ckptkit.read(path).tensors
    os.truncate(path, 4096)
    for name, way in ASKED:
        with pytest.raises(UnreadableCheckpointError, match="became shorter"):
            WAYS[way](tensors[name])


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
@pytest.mark.parametrize("gone", ["removed", "replaced"])
@pytest.mark.parametrize(("kind", "shift"), KINDS)
def test_a_file_that_was_removed_or_replaced_is_still_the_one_that_was_read(
    own: Callable[[str, int], Path], kind: str, shift: int, gone: str
) -> None:
    path = own(kind, shift)
    tensors = ckptkit.read(path).tensors
    if gone == "removed":
        path.unlink()
    else:
        other = path.with_suffix(".new")
        other.write_bytes(b"x" * path.stat().st_size)
        other.replace(path)
    for name, way in ASKED:
        expected = SUBJECTS[name]
        assert same(WAYS[way](tensors[name]), expected[part_of(expected)] if "slice" in way else expected)


CHILD = """
import json, re, sys
import torch
import ckptkit

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10

def mapped():
    found = 0
    for line in open("/proc/self/maps"):
        if line.rstrip().endswith(sys.argv[1]):
            first, last = line.split()[0].split("-")
            found += int(last, 16) - int(first, 16)
    return found

def cost(give):
    before = anonymous()
    value = give(tensors["a"])
    for at in range(0, len(value), len(value) // 8):
        assert value[at] == 0
    return {"memory": anonymous() - before, "mapped": mapped(), "bytes": len(value) * 4}

tensors = ckptkit.read(sys.argv[1]).tensors
for give in (lambda t: t.numpy(), lambda t: t.torch()):
    give(tensors["tiny"])
ways = {
    "numpy": lambda t: t.numpy(),
    "torch": lambda t: t.torch(),
    "slice": lambda t: t[1 << 20 : 2 << 20].numpy(),
}
print(json.dumps({name: cost(give) for name, give in ways.items()}))
"""
STORED, SPARSE = 16 << 20, 1 << 29
"""Elements of the large tensors: of one that is written out, and of one that is a hole in the file."""


def large(kind: str, path: Path) -> int:
    """Write a file with two large tensors and a tiny one; return how many elements the former have."""
    if kind == "safetensors":
        each = SPARSE * 4
        ends = {"other": (0, each), "a": (each, 2 * each), "tiny": (2 * each, 2 * each + 4)}
        header = json.dumps(
            {
                name: {"dtype": "F32", "shape": [(last - first) // 4], "data_offsets": [first, last]}
                for name, (first, last) in ends.items()
            }
        ).encode()
        header += b" " * (-len(header) % 8)
        path.write_bytes(struct.pack("<Q", len(header)) + header)
        os.truncate(path, 8 + len(header) + 2 * each + 4)
        return SPARSE
    zeros = {"other0": torch.zeros(STORED), "a": torch.zeros(STORED), "tiny": torch.zeros(1)}
    zeros["other0"][:16] = torch.arange(1.0, 17.0)  # what `mark` finds
    FORMATS[kind](zeros, path, 0)
    return STORED


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="memory is measured as Linux tells it")
@pytest.mark.parametrize("kind", FORMATS)
def test_a_large_tensor_takes_no_memory_of_its_own(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "large"
    count = large(kind, path)
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    ways = json.loads(run.stdout)
    assert ways.keys() == {"numpy", "torch", "slice"}
    for name, cost in ways.items():
        assert cost["bytes"] == (4 << 20 if name == "slice" else 4 * count)
        assert cost["bytes"] <= cost["mapped"] <= cost["bytes"] + 2 * PAGE
        assert cost["memory"] < 8 << 20
