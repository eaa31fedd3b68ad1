"""One layer as a graph, as a torch module and as an ONNX model, over the same random tensors."""

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
import torch

from ckptkit.graph import onnx_model
from ckptkit.layers import vocabulary
from ckptkit.layers.onnx_scope import ELEMENTS
from ckptkit.model.architecture import Graph, Layer, ValueType
from ckptkit.model.dtype import BY_NAME, BY_TORCH
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.source import MemorySource
from tests.layers.cases import Case

NAME = "net.0"


def full(name: str, attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {**vocabulary()[name].defaults, **attrs}


def given(name: str, case: Case) -> list[ValueType]:
    """Return the output types that the shape rule gives."""
    return list(vocabulary()[name].infer(full(name, case.attrs), case.takes))


def graph(name: str, case: Case) -> Graph:
    """Return the graph of that one layer; all of its outputs are outputs of the graph."""
    inputs = {f"in.{index}": value for index, value in enumerate(case.takes)}
    layer = Layer(NAME, name, tuple(inputs), case.attrs)
    outputs = {f"out.{i}": f"{NAME}:{i}" if i else NAME for i in range(len(given(name, case)))}
    return Graph(inputs, (layer,), outputs)


def torch_dtype(name: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, BY_NAME[name].torch)
    return found


def tensor(value: torch.Tensor) -> Tensor:
    """Return a torch tensor as the package holds one."""
    value = value.detach().contiguous()
    shape = tuple(value.shape)
    data = value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b""
    dtype = BY_TORCH[str(value.dtype).removeprefix("torch.")]
    return Tensor(dtype, shape, contiguous_strides(shape), 0, Storage(MemorySource(data, "made")))


def state(module: object) -> dict[str, torch.Tensor]:
    """Return the tensors of a made layer by their names below it."""
    if not isinstance(module, torch.nn.Module):
        return {}
    if type(module).__name__ == "FreeParameter":
        return {"": module.value}  # type: ignore[dict-item]
    return dict(module.state_dict())


def randomise(module: object, seed: int) -> None:
    """Fill parameters and buffers; variances stay positive, counters stay small."""
    r = torch.Generator().manual_seed(seed)
    for name, value in state(module).items():
        with torch.no_grad():
            if name.endswith("var"):
                value.copy_(torch.rand(value.shape, generator=r) + 0.5)
            elif value.is_floating_point():
                scale = max(value[0].numel() if value.ndim else 1, 1) ** -0.5
                value.copy_(torch.randn(value.shape, generator=r) * scale)
            else:
                value.copy_(torch.randint(0, 2, value.shape, generator=r))


def feed(case: Case, size: int, seed: int) -> list[torch.Tensor]:
    """Return inputs of batch `size`."""
    r = torch.Generator().manual_seed(seed)
    made = []
    for value in case.takes:
        shape = [size if axis is None else axis for axis in value.shape]
        dtype = torch_dtype(value.dtype)
        if dtype.is_floating_point:
            made.append((torch.randn(shape, generator=r) * 2).to(dtype))
        else:
            below = 2 if dtype is torch.bool else case.below
            made.append(torch.randint(0, below, shape, generator=r).to(dtype))
    return made


def outputs(made: Any, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """Call a made layer."""
    if type(made).__name__ == "FreeParameter":
        return [made.value.detach()]
    found = made(*inputs)
    return list(found) if isinstance(found, tuple) else [found]


def model(name: str, case: Case, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Return the ONNX model of the layer over `tensors`, named below it."""
    held = {f"{NAME}.{key}" if key else NAME: tensor(value) for key, value in tensors.items()}
    return onnx_model.build(graph(name, case), held)


def onnx_runtime(built: Any, case: Case, inputs: list[torch.Tensor]) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        built.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, named(inputs)))


def reference(built: Any, case: Case, inputs: list[torch.Tensor]) -> list[np.ndarray]:
    from onnx.reference import ReferenceEvaluator

    return [np.asarray(value) for value in ReferenceEvaluator(built).run(None, named(inputs))]


def named(inputs: list[torch.Tensor]) -> dict[str, np.ndarray]:
    return {f"in.{index}": value.numpy() for index, value in enumerate(inputs)}


def onnx_name(dtype: str) -> str:
    return ELEMENTS[dtype]


def seeded(name: str, seed: int) -> Random:
    return Random(f"{name}/{seed}")
