"""Generated state dicts: torch and safetensors read what was written, bit for bit, and so do we.

Each set goes torch.save -> v2 -> deploy -> v2. Both v2 files must be equal byte for byte, all must
have one content digest, and the deploy bundle must equal the one that is made directly.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ckptkit import readers
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.storage.canonical_zip import deviations
from ckptkit.storage.probe import Probe
from ckptkit.storage.source import FileSource
from ckptkit.storage.zip import ZipArchive
from ckptkit.writers import find
from tests.writers.made import same

BATCHES, SETS = 11, 100
assert BATCHES * SETS >= 1000

DTYPES = [
    torch.bool, torch.uint8, torch.int8, torch.float8_e5m2, torch.float8_e4m3fn, torch.float8_e5m2fnuz,
    torch.float8_e4m3fnuz, torch.float8_e8m0fnu, torch.int16, torch.uint16, torch.float16, torch.bfloat16,
    torch.int32, torch.uint32, torch.float32, torch.complex64, torch.float64, torch.int64, torch.uint64,
]  # fmt: skip
WORDS = [
    "weight",
    "bias",
    "0",
    "größe",
    "層",
    "a b",
    'q"uote',
    "back\\slash",
    "\u2028",
    "😀",
    "__metadata",
    "$x",
    "é",
]


def bits(rng: random.Random, count: int, dtype: torch.dtype) -> torch.Tensor:
    """Return `count` elements of any bit pattern, NaN payloads included."""
    if dtype is torch.bool:
        return torch.tensor([rng.random() < 0.5 for _ in range(count)], dtype=torch.bool)
    raw = torch.frombuffer(bytearray(rng.randbytes(max(count, 1) * dtype.itemsize)), dtype=dtype)
    return raw[:count].clone()


def base(rng: random.Random) -> torch.Tensor:
    shape = [rng.choice([0, 1, 1, 2, 3, 5]) for _ in range(rng.randint(0, 4))]
    count = 1
    for size in shape:
        count *= size
    return bits(rng, count, rng.choice(DTYPES)).reshape(shape)


def view(rng: random.Random, value: torch.Tensor) -> torch.Tensor:
    """Return some view of `value`, or itself."""
    dims = value.dim()
    match rng.randint(0, 6) if dims else 0:
        case 1:
            return value.transpose(0, dims - 1)
        case 2:
            return value[rng.randint(0, 1) :]
        case 3:
            return value[..., ::2]
        case 4:
            return value[:1].expand(3, *value.shape[1:]) if value.shape[0] else value
        case 5:
            return value.flatten() if value.is_contiguous() else value
        case 6:
            return torch.nn.Parameter(value) if value.is_floating_point() and value.itemsize > 1 else value
        case _:
            return value


def state_dict(rng: random.Random) -> dict[str, torch.Tensor]:
    made: dict[str, torch.Tensor] = {}
    for _ in range(rng.randint(0, 6)):
        name = ".".join(rng.choice(WORDS) for _ in range(rng.randint(1, 3)))
        tied = made and rng.random() < 0.3
        value = rng.choice(list(made.values())) if tied else base(rng)
        made[name] = value if rng.random() < 0.5 else view(rng, value)
    return made


def training(rng: random.Random, model: dict[str, torch.Tensor]) -> dict[str, object]:
    moment = base(rng)
    shared = rng.choice([moment, *model.values()])
    slot = {"step": torch.tensor(float(rng.randint(0, 9))), "exp_avg": moment, "again": shared}
    groups = [{"lr": rng.random(), "betas": (0.9, 0.999), "params": [0, 1]}]
    return {"state": {0: slot, 1: {}}, "param_groups": groups}


def sources(batch: int) -> Iterator[tuple[int, dict[str, torch.Tensor], object]]:
    for number in range(SETS):
        rng = random.Random(batch * SETS + number)
        tensors = state_dict(rng)
        root: object = tensors
        if rng.random() < 0.3:
            root = {"model_state_dict": tensors, "optimizer_state_dict": training(rng, tensors), "epoch": 3}
        yield number, tensors, root


def read(path: Path) -> Checkpoint:
    probe = Probe(path)
    return readers.find(probe).read(probe)


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of small files need not reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_set_survives_every_way(tmp_path: Path, batch: int) -> None:
    seen = 0
    for number, tensors, root in sources(batch):
        folder = tmp_path / str(number)
        folder.mkdir()
        torch.save(root, folder / "source.pt")
        convert(folder)
        check_torch(folder / "a.pt", tensors, root)
        check_safetensors(folder / "b", tensors)
        for name in ("a.pt", "b"):
            check_ours(folder / name, tensors)
        seen += 1
    assert seen == SETS


def convert(folder: Path) -> None:
    """Go all ways and compare what comes out."""
    steps = [
        ("source.pt", "v2", "a.pt"),
        ("a.pt", "deploy", "b"),
        ("b", "v2", "c.pt"),
        ("source.pt", "deploy", "d"),
    ]
    written = [find(to).write(read(folder / one), folder / other, False) for one, to, other in steps]
    assert len({done.content_digest for done in written}) == 1
    assert (folder / "a.pt").read_bytes() == (folder / "c.pt").read_bytes()
    assert files(folder / "b") == files(folder / "d")
    assert deviations(ZipArchive.open(FileSource(folder / "a.pt"))) == ()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_torch(path: Path, tensors: dict[str, torch.Tensor], root: object) -> None:
    made = torch.load(path, weights_only=True, mmap=True)
    state = made["model_state_dict"]
    assert set(state) == set(tensors)
    assert all(same(value.detach(), state[name]) for name, value in tensors.items())
    if isinstance(root, dict) and "optimizer_state_dict" in root:
        expected, found = root["optimizer_state_dict"], made["training_state"]["optimizer_state_dict"]
        assert found["param_groups"] == expected["param_groups"]
        assert found["state"].keys() == expected["state"].keys()
        for name, value in expected["state"][0].items():
            assert same(value.detach(), found["state"][0][name])


def check_safetensors(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    state = load_file(folder / "model.safetensors")
    ours = read(folder)
    assert ours.bundle is not None
    alias = {row["name"]: row.get("alias_of", row["name"]) for row in ours.bundle.manifest["tensors"]}  # type: ignore[index]
    for name, value in tensors.items():
        assert same(value.detach(), state[alias[name]])
    assert set(state) == {alias[name] for name in tensors}


def check_ours(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    made = read(path).tensors
    assert set(made) == set(tensors)
    owners: dict[object, str] = {}
    for name, value in tensors.items():
        assert made[name].tobytes() == bytes(value.detach().contiguous().clone().untyped_storage())
        assert made[name].shape == tuple(value.shape)
        # The same view of the same storage in the source is the same tensor here, and nothing else is.
        place = (value.untyped_storage()._cdata, value.storage_offset(), value.shape, value.stride())
        other = owners.setdefault((*place, value.dtype), name)
        assert made[name].identity == made[other].identity
    assert len({tensor.identity for tensor in made.values()}) == len(owners)
