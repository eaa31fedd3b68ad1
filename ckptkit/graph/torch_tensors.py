"""Tensors of a checkpoint as torch tensors, one at a time, each byte compared with its digest."""

import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ckptkit.errors import IntegrityError, LimitExceededError, UnsupportedTensorError
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    import torch

MAX_REPEATED_BYTES = 64 << 20
"""Bound of a tensor that repeats the elements of a smaller storage."""


def state_dict(
    tensors: Mapping[str, Tensor], device: str, *, digests: bool, where: str = "", fix: str = ""
) -> "dict[str, torch.Tensor]":
    """Read every tensor.

    Args:
        tensors: By name; two that are one view of one storage give one tensor object.
        device: Where each one goes as soon as it is read.
        digests: Whether each must have a digest, and bytes that give it.
        where: For messages.
        fix: What to do about bytes that differ.

    Raises:
        IntegrityError: The bytes differ from the digest, or there is none.
        LimitExceededError: A few bytes claim to be a large tensor.
        UnsupportedTensorError: This release of torch has no such element type.
    """
    read: dict[tuple[object, ...], tuple[torch.Tensor, str]] = {}
    for name, tensor in tensors.items():
        if tensor.identity not in read:
            if tensor.nbytes > max(tensor.storage.source.size, MAX_REPEATED_BYTES):
                raise LimitExceededError(f"tensor {name} repeats its elements too often", where=where)
            value, actual = _read(name, tensor, digest=digests)
            read[tensor.identity] = value.to(device), actual
        actual = read[tensor.identity][1]
        if digests and actual != tensor.sha256:
            expected = f"expected {tensor.sha256[:12]}…, got {actual[:12]}…"
            message = expected if tensor.sha256 else "the manifest lists none"
            raise IntegrityError(f"tensor {name} differs from its digest: {message}", where=where, fix=fix)
    return {name: read[tensor.identity][0] for name, tensor in tensors.items()}


def _read(name: str, tensor: Tensor, *, digest: bool) -> "tuple[torch.Tensor, str]":
    """Return a new tensor, and the digest of its logical bytes where it is asked for."""
    import torch

    dtype = getattr(torch, tensor.dtype.torch, None)
    if dtype is None:
        raise UnsupportedTensorError(f"tensor {name}: torch {torch.__version__} has no {tensor.dtype.torch}")
    data, state, at = bytearray(tensor.nbytes), hashlib.sha256(), 0
    for piece in tensor.pieces():
        data[at : at + len(piece)] = piece
        at += len(piece)
        if digest:
            state.update(piece)
    if not math.prod(tensor.shape):
        return torch.empty(tensor.shape, dtype=dtype), state.hexdigest()
    return torch.frombuffer(data, dtype=dtype).reshape(tensor.shape), state.hexdigest()
