"""The builder owns each tensor once, finds what is shared, and refuses what it cannot say."""

import numpy as np
import pytest

from ckptkit import recovery
from ckptkit.errors import ArchitectureError
from ckptkit.model.architecture import Layer
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.recovered import Hints
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.storage.source import MemorySource


def tensor(*shape: int) -> Tensor:
    data = np.zeros(shape, np.float32).tobytes()
    return Tensor(BY_NAME["F32"], shape, contiguous_strides(shape), 0, Storage(MemorySource(data, "storage")))


def tensors(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {name.replace("__", "."): tensor(*shape) for name, shape in shapes.items()}


def shared(*paths: str, rows: int = 2, columns: int = 3) -> dict[str, Tensor]:
    weight, bias = tensor(rows, columns), tensor(rows)
    return {f"{path}.{name}": one for path in paths for name, one in (("weight", weight), ("bias", bias))}


def test_a_layer_takes_its_sizes_from_its_tensors() -> None:
    builder = GraphBuilder(tensors(a__weight=(2, 3), b__weight=(4, 1, 5, 5), b__bias=(4,)))
    x = builder.input("obs", "F32", (None, 3))
    assert builder.linear("a", x) == "a"
    builder.conv("b", x, stride=[2, 2])
    linear, conv = builder.graph().layers
    assert linear.attrs == {"in_features": 3, "out_features": 2, "bias": False}
    assert (conv.attrs["in_channels"], conv.attrs["out_channels"], conv.attrs["kernel_size"]) == (
        1,
        4,
        [5, 5],
    )
    assert not builder.unexplained()


def test_tensors_of_the_same_storages_are_aliases() -> None:
    builder = GraphBuilder(shared("b.0", "a.0") | shared("c.0"))
    assert builder.linear("a.0", "obs") == "a.0"
    assert builder.graph().layers[0].aliases == ("b.0",)
    assert builder.canonical("b") == "a"
    assert builder.canonical("c") == "c"
    assert builder.linear("b.0", "obs") == "a.0"
    assert builder.unexplained() == ("c.0.weight", "c.0.bias")


def test_a_shared_layer_with_another_input_is_refused() -> None:
    builder = GraphBuilder(shared("a", "b"))
    builder.linear("a", "obs")
    with pytest.raises(ArchitectureError, match="b take"):
        builder.linear("b", "other")


def test_a_module_that_shares_only_some_layers_is_refused() -> None:
    builder = GraphBuilder(shared("a.0", "b.0") | shared("a.2") | shared("b.2"))
    builder.linear("a.0", "obs")
    with pytest.raises(ArchitectureError, match="some of its tensors"):
        builder.canonical("b")


def test_a_module_that_is_shared_under_another_place_is_refused() -> None:
    builder = GraphBuilder(shared("a.0", "b.1"))
    builder.linear("a.0", "obs")
    with pytest.raises(ArchitectureError, match="some of its tensors"):
        builder.canonical("b")


def test_a_name_that_starts_like_another_is_not_below_it() -> None:
    builder = GraphBuilder(shared("net.1") | shared("net.10"))
    builder.linear("net.1", "obs")
    assert builder.unexplained() == ("net.10.weight", "net.10.bias")
    assert builder.indices("net") == [1, 10]


def test_the_same_step_is_added_once_and_another_gets_a_name_of_its_own() -> None:
    builder = GraphBuilder({})
    x = builder.input("obs", "F32", (None, 3))
    assert builder.add("ReLU", x) == builder.add("ReLU", x) == "obs/relu"
    assert builder.add("ELU", x, name="obs/relu") != "obs/relu"
    assert builder.add("ReLU", x, name="obs") != "obs"
    assert builder.names["obs/relu"] == Layer("obs/relu", "ReLU", ("obs",))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 1)])
def test_a_weight_of_other_axes_is_no_linear(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError, match="no Linear weight"):
        GraphBuilder({"a.weight": tensor(*shape)}).linear("a", "obs")


def test_a_missing_tensor_is_named() -> None:
    with pytest.raises(ArchitectureError, match=r"where is a\.weight\?"):
        GraphBuilder({}).linear("a", "obs")


def test_a_checkpoint_that_no_family_claims_is_a_question() -> None:
    found = recovery.recover(Checkpoint(path="x", format="none", container="none"), Hints())
    assert found.graph is None
    assert found.architecture() is None
    assert "no family" in found.questions[0]
