"""Runs of a training, with metrics."""

from pathlib import Path

import pytest
import torch
from torch import nn

import ckptkit

SCORES = {100: 0.1, 200: 0.9, 300: 0.5, 400: 0.4}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Four numbered files of digests each, steps 100 to 400, and `best.pt`, a bare state dict."""
    folder = tmp_path / "run"
    folder.mkdir()
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    for step, score in SCORES.items():
        info = {"step": step, "metadata": {"score": score, "lines": -step}}
        ckptkit.save_for_training(folder / f"model_{step}.pt", model, rng=False, training_info=info)
    torch.save(model.state_dict(), folder / "best.pt")
    return folder


def damage(path: Path) -> None:
    """Change one bit of a file."""
    flip(path, path.stat().st_size // 4)


def damage_weights(path: Path) -> None:
    """Change one bit of a file's first tensor, so that it still reads."""
    first = next(iter(ckptkit.read(path).tensors.values()))
    place = path.read_bytes().find(first.numpy().tobytes())
    assert place > 0
    flip(path, place)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
