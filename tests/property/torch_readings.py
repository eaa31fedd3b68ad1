"""Tensors of one file as we and as torch read them."""

import io
import warnings
from collections.abc import Iterator

import torch

from ckptkit.digest import tensor_sha256
from ckptkit.model.dtype import BY_TORCH
from ckptkit.model.inert import Instance
from ckptkit.model.tensor import Tensor
from ckptkit.storage.torch_storages import TorchFile
from tests.readers.torch_truth import facts

MOST_ELEMENTS = 1 << 20
Said = tuple[str, tuple[int, ...], str]


def described(file: TorchFile) -> tuple[dict[str, object], dict[str, Said]]:
    """Return all tensors and descriptions that we read, and what we say of the tensors, by place.

    Raises:
        CkptkitError: Bytes of a tensor cannot be read.
    """
    found = dict(_tensors(file.root))
    small = {
        name: one for name, one in found.items() if isinstance(one, Tensor) and one.numel < MOST_ELEMENTS
    }
    return found, {name: (one.dtype.name, one.shape, tensor_sha256(one)) for name, one in small.items()}


def same_tensors(ours: tuple[dict[str, object], dict[str, Said]], data: bytes) -> bool:
    """Assert that torch reads the tensors that we read, and none beside them; return whether there were any.

    A file that torch refuses has no other reading.
    """
    found, said = ours
    wanted = _loaded(data)
    if wanted is None:
        return False
    held = {place: facts(tensor) for place, tensor in _tensors(wanted) if _is_plain(tensor)}
    assert {place: held.get(place) for place in said} == said
    assert held.keys() <= found.keys()  # what we do not read we describe
    return bool(said)


def _loaded(data: bytes) -> object:
    """Return what torch reads, without running anything; None where it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(io.BytesIO(data), weights_only=True)
        except Exception:  # noqa: BLE001 - torch raises all kinds
            return None


def _tensors(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Yield the tensors in plain containers, and what is described only, each with its place."""
    match value:
        case Tensor() | torch.Tensor() | Instance():
            yield place, value
        case dict():
            for number, (key, item) in enumerate(value.items()):
                name = repr(key) if isinstance(key, str | int) else f"entry {number}"
                yield from _tensors(item, f"{place}/{name}")
        case list() | tuple():
            for number, item in enumerate(value):
                yield from _tensors(item, f"{place}/{number}")


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether we read a tensor: sparse, quantized, meta and some other ones we describe only."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        return False
    known = str(tensor.dtype).removeprefix("torch.") in BY_TORCH
    return known and tensor.numel() < MOST_ELEMENTS
