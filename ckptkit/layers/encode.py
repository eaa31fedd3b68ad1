"""OneHot and Embedding: from indices to vectors."""

from collections.abc import Callable, Mapping, Sequence

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType


def _one_hot_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect(value.dtype == "I64", f"takes int64 indices, got {value}")
    return [ValueType("F32", (*value.shape, attrs["num_classes"]))]


def _one_hot_onnx(scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    import numpy as np

    values = scope.constant(np.array([0.0, 1.0], np.float32))
    return [scope.one("OneHot", inputs[0], scope.ints(attrs["num_classes"]), values, axis=-1)]


def _one_hot_torch(attrs: Attrs) -> Callable[..., object]:
    from torch.nn import functional

    return lambda x: functional.one_hot(x.long(), attrs["num_classes"]).float()


def _embedding_infer(attrs: Attrs, types: Types) -> Sequence[ValueType]:
    (value,) = types
    expect(value.dtype == "I64", f"takes int64 indices, got {value}")
    return [ValueType("F32", (*value.shape, attrs["embedding_dim"]))]


def _embedding_parameters(attrs: Attrs) -> Mapping[str, Parameter]:
    return {"weight": Parameter((attrs["num_embeddings"], attrs["embedding_dim"]))}


def _embedding_torch(attrs: Attrs) -> Callable[..., object]:
    from torch import nn

    made: Callable[..., object] = nn.Embedding(attrs["num_embeddings"], attrs["embedding_dim"])
    return made


LAYERS = (
    LayerType(
        type="OneHot",
        summary="Each index becomes a vector of num_classes with a single 1.",
        infer=_one_hot_infer,
        onnx=_one_hot_onnx,
        torch=_one_hot_torch,
    ),
    LayerType(
        type="Embedding",
        summary="Row of the weight (num_embeddings, embedding_dim) for each index.",
        infer=_embedding_infer,
        parameters=_embedding_parameters,
        onnx=lambda scope, _, inputs: [scope.one("Gather", scope.parameter("weight"), inputs[0], axis=0)],
        torch=_embedding_torch,
    ),
)
