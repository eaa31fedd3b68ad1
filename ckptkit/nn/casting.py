"""Call a layer in the floating type of its input, whatever type its tensors are stored in."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from ckptkit.nn.branch import Branch


def reader(branch: Branch, name: str, dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    """Return a function that reads a tensor of `branch` as it is at the time, as `dtype`."""
    return lambda: branch.tensor(name).to(dtype)


def in_type_of_input(module: nn.Module, floats: Sequence[str]) -> Callable[..., Any]:
    """Return `module` as a function that computes in the floating type of its input.

    Args:
        module: A layer with parameters.
        floats: Names of its tensors whose type may differ.
    """
    names = [name.rpartition(".") for name in floats]
    places = [(module.get_submodule(path), leaf) for path, _, leaf in names]

    def run(*inputs: torch.Tensor) -> Any:
        dtype = next((value.dtype for value in inputs if value.is_floating_point()), torch.float32)
        if all(getattr(owner, leaf).dtype == dtype for owner, leaf in places):
            return module(*inputs)
        return _cast_call(module, dtype, inputs)

    return run if floats else module


def _cast_call(module: nn.Module, dtype: torch.dtype, inputs: tuple[torch.Tensor, ...]) -> Any:
    """Call `module` with its floating tensors as `dtype`; statistics that it updates are kept."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    cast = {name: tensor.to(dtype) for name, tensor in tensors if tensor.is_floating_point()}
    out = torch.func.functional_call(module, cast, inputs)
    if module.training:
        for name, buffer in module.named_buffers():
            if name in cast:
                buffer.copy_(cast[name])
    return out
