"""OneHot and Embedding: from indices to vectors (torch 2.13, `torch/nn/modules/sparse.py`)."""

from collections.abc import Callable, Mapping, Sequence

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect, torch_nn
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _vectors(size: str) -> Callable[[Attrs, Types], Sequence[ValueType]]:
    def infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
        (value,) = types
        expect(value.dtype == "I64", f"takes I64 indices, got {value}")
        return [ValueType("F32", (*value.shape, attrs[size]))]

    return infer


def _one_hot_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    import numpy as np

    values = scope.constant(np.array([0.0, 1.0], np.float32))
    depth = scope.constant(np.array(attrs["num_classes"], np.int64))
    return [scope.one("OneHot", inputs[0], depth, values, axis=-1)]


def _one_hot_torch(attrs: Attrs) -> Callable[..., object]:
    from torch.nn import functional

    return lambda x: functional.one_hot(x, attrs["num_classes"]).float()


def _embedding_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    row, rows = attrs["padding_idx"], attrs["num_embeddings"]
    expect(row is None or row < rows, f"padding_idx {row} is not one of {rows} rows")
    return _vectors("embedding_dim")(attrs, types)


def _embedding_parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    return {"weight": Parameter((attrs["num_embeddings"], attrs["embedding_dim"]))}


LAYERS = (
    LayerType(
        type="OneHot",
        summary="Each index, from 0 to num_classes - 1, becomes a vector with a single 1.",
        infer=_vectors("num_classes"),
        onnx=_one_hot_onnx,
        torch=_one_hot_torch,
    ),
    LayerType(
        type="Embedding",
        summary="A row of the weight for each index; training leaves row padding_idx as it is.",
        infer=_embedding_infer,
        parameters=_embedding_parameters,
        onnx=lambda scope, _, inputs: [scope.one("Gather", scope.parameter("weight"), inputs[0], axis=0)],
        torch=torch_nn("Embedding"),
        defaults={"padding_idx": None},
    ),
)
