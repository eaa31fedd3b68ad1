"""Directory trees of small checkpoints, and what is in them."""

import hashlib
from pathlib import Path

from tests.conftest import safetensors_bytes


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digests(root: Path) -> dict[str, str]:
    """Return the sha256 of each file below `root`, by relative path."""
    return {str(path.relative_to(root)): digest(path) for path in sorted(root.rglob("*")) if path.is_file()}


def tree(root: Path, count: int) -> None:
    """Write `count` different checkpoints into folders of ten; each second file keeps its name."""
    import torch

    for number in range(count):
        folder = root / f"run{number // 10:02d}" / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        if number % 2:
            torch.save({"w": torch.full((3,), float(number))}, folder / f"model_{number:04d}.pt")
        else:
            data = number.to_bytes(4, "little")
            path = folder / f"step{number}.safetensors"
            path.write_bytes(safetensors_bytes({"net.bias": ("F32", [1], data)}))
