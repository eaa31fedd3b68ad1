"""Checkpoints made in memory from torch tensors, as readers make them from files."""

from collections.abc import Mapping

import torch

from ckptkit.model.checkpoint import Checkpoint, Dropped, SourceFile
from ckptkit.model.dtype import BY_TORCH
from ckptkit.model.tensor import Storage, Tensor
from ckptkit.storage.source import MemorySource


class Lifted:
    """Turns torch tensors into lazy ones; those that share a storage go on sharing it."""

    def __init__(self) -> None:
        self._storages: dict[int, Storage] = {}
        self._alive: list[torch.Tensor] = []

    def tensor(self, value: torch.Tensor) -> Tensor:
        held = value.untyped_storage()
        # A storage's address may be used again once it is gone, and is 0 for an empty one.
        self._alive.append(value)
        key = held._cdata
        if key not in self._storages:
            self._storages[key] = Storage(MemorySource(bytes(held), f"storage {key}"), key=str(key))
        dtype = BY_TORCH[str(value.dtype).removeprefix("torch.")]
        return Tensor(dtype, tuple(value.shape), value.stride(), value.storage_offset(), self._storages[key])

    def tree(self, value: object) -> object:
        match value:
            case torch.Tensor():
                return self.tensor(value)
            case dict():
                return {key: self.tree(item) for key, item in value.items()}
            case list():
                return [self.tree(item) for item in value]
            case tuple():
                return tuple(self.tree(item) for item in value)
            case _:
                return value


def lifted(tensors: Mapping[str, torch.Tensor], **more: object) -> Checkpoint:
    """Return a legacy checkpoint that holds `tensors`."""
    lift = Lifted()
    given: dict[str, object] = {
        "path": "nowhere/agent.pth",
        "format": "torch-state-dict",
        "container": "torch-zip",
        "files": (SourceFile("agent.pth", "weights", MemorySource(b"source", "agent.pth")),),
        "tensors": {name: lift.tensor(value) for name, value in tensors.items()},
        "training_state": lift.tree(more.pop("training_state", None)),
        "dropped": (Dropped("lr_schedule", "code"),),
    }
    return Checkpoint(**(given | more))  # type: ignore[arg-type]


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are equal bit for bit."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return bytes(one.contiguous().clone().untyped_storage()) == bytes(
        other.contiguous().clone().untyped_storage()
    )
