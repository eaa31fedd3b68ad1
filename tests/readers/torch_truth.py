"""Compare what ckptkit reads with what torch holds."""

import hashlib
from collections.abc import Mapping

import torch

from ckptkit.digest import tensor_sha256
from ckptkit.model.dtype import BY_TORCH
from ckptkit.model.tensor import Tensor


def row_major_bytes(tensor: torch.Tensor) -> bytes:
    """Return the logical bytes of a torch tensor, row-major and little-endian."""
    flat = tensor.detach().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def facts(tensor: torch.Tensor) -> tuple[str, tuple[int, ...], str]:
    """Return dtype, shape and digest of a torch tensor in ckptkit's spelling."""
    name = BY_TORCH[str(tensor.dtype).removeprefix("torch.")].name
    return name, tuple(tensor.shape), hashlib.sha256(row_major_bytes(tensor)).hexdigest()


def assert_same(found: Mapping[str, Tensor], wanted: Mapping[str, torch.Tensor]) -> None:
    """Assert that names, order, dtypes, shapes and bytes are equal."""
    ours = [(name, t.dtype.name, t.shape, tensor_sha256(t)) for name, t in found.items()]
    assert ours == [(name, *facts(t)) for name, t in wanted.items()]
