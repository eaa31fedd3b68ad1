"""The torch module of a graph: names, order, ties, modes, and what it refuses."""

import copy
import pickle

import pytest
import torch
from torch import nn

from ckptkit.errors import ArchitectureError, UsageError
from ckptkit.graph.torch_module import GraphModule, empty
from ckptkit.model.architecture import Graph, Layer, ValueType

VECTOR = ValueType("F32", (None, 4))


def graph(*layers: Layer, inputs: dict[str, ValueType] | None = None, **outputs: str) -> Graph:
    """Return a graph of `layers`; its one output is the last of them where none is named."""
    return Graph(inputs or {"obs": VECTOR}, layers, outputs or {"y": layers[-1].name})


def linear(name: str, x: str, takes: int, gives: int, *aliases: str) -> Layer:
    return Layer(name, "Linear", (x,), {"in_features": takes, "out_features": gives}, aliases)


def load(described: Graph, state: dict[str, torch.Tensor]) -> GraphModule:
    module = empty(described, order=state)
    module.fill(state)
    return module


def weights(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def batch_norm(dtype: torch.dtype = torch.float32, *, counted: bool = True) -> dict[str, torch.Tensor]:
    new = nn.BatchNorm1d(4).to(dtype).state_dict()
    return {f"norm.{name}": value for name, value in new.items() if counted or name != "num_batches_tracked"}


NORM = graph(Layer("norm", "BatchNorm1d", ("obs",), {"num_features": 4}))


def test_modules_are_nested_by_the_names_of_the_state_dict() -> None:
    original = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Sequential(nn.Linear(3, 2)))
    described = graph(
        linear("0", "obs", 4, 3), Layer("1", "Tanh", ("0",)), linear("2.0", "1", 3, 2), actions="2.0"
    )
    module = load(described, original.state_dict())
    assert [name for name, _ in module.named_modules()] == ["", "0", "1", "2", "2.0"]
    x = torch.randn(5, 4)
    torch.testing.assert_close(module(x)["actions"], original(x), rtol=0, atol=0)


def test_the_order_is_that_of_the_source_and_numbers_count_up() -> None:
    names = ["z", "a.10", "a.9", "m"]
    layers = [linear(name, "obs", 4, 2) for name in sorted(names)]
    state = {
        f"{name}.{kind}": torch.zeros(2, 4)[..., 0 if kind == "bias" else slice(None)]
        for name in names
        for kind in ("weight", "bias")
    }
    module = load(graph(*layers), state)
    assert [name for name in module.state_dict() if name.endswith("weight")] == [
        "z.weight",
        "a.9.weight",
        "a.10.weight",
        "m.weight",
    ]


@pytest.mark.parametrize("name", ["graph", "predict.spaces", "forward", "_graph", "a/b", "weight.weight"])
def test_a_layer_may_have_any_name(name: str) -> None:
    state = weights(**{f"{name}.weight": (2, 4), f"{name}.bias": (2,)})
    described = graph(linear(name, "obs", 4, 2))
    module = load(described, state)
    assert list(module.state_dict()) == list(state)
    module.load_state_dict(state, strict=True)
    assert module.graph == described
    for twin in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        expected = nn.functional.linear(torch.ones(1, 4), *state.values())
        torch.testing.assert_close(twin.train()(torch.ones(1, 4))["y"], expected)


def test_aliases_are_one_module_under_several_names() -> None:
    layer = linear("pi", "obs", 4, 2, "vf", "old.net")
    held = weights(weight=(2, 4), bias=(2,))
    state = {f"{path}.{kind}": held[kind] for path in ("pi", "vf", "old.net") for kind in held}
    module = load(graph(layer), state)
    assert module.pi is module.vf is module.old.net
    assert list(module.state_dict()) == list(state)
    assert len(list(module.parameters())) == 2
    twin = copy.deepcopy(module)
    assert twin.pi is twin.vf is not module.pi


def test_tensors_that_two_layers_share_are_one_parameter() -> None:
    shared = torch.eye(4)
    state = {"a.weight": shared, "a.bias": torch.zeros(4), "b.weight": shared, "b.bias": torch.zeros(4)}
    module = load(graph(linear("a", "obs", 4, 4), linear("b", "a", 4, 4)), state)
    assert module.a.weight is module.b.weight
    assert module.a.bias is not module.b.bias
    module(torch.ones(1, 4))["y"].sum().backward()
    assert module.a.weight.grad is not None
    assert copy.deepcopy(module).a.weight is not module.a.weight


def test_nothing_is_copied() -> None:
    state = weights(**{"a.weight": (2, 4), "a.bias": (2,)})
    module = load(graph(linear("a", "obs", 4, 2)), state)
    assert all(value.data_ptr() == state[name].data_ptr() for name, value in module.state_dict().items())


def test_a_free_tensor_is_read_as_it_is_at_the_time() -> None:
    free = Layer("scale.value", "Parameter", (), {"shape": [4]})
    module = load(graph(free, Layer("y", "Mul", ("obs", "scale.value"))), {"scale.value": torch.ones(4)})
    with torch.no_grad():
        module.scale.value.fill_(3.0)
    assert module(torch.ones(2, 4))["y"].eq(3).all()
    module(torch.ones(2, 4))["y"].sum().backward()
    assert module.get_parameter("scale.value").grad is not None
    assert "scale.value" in dict(copy.deepcopy(module).named_parameters())


def test_what_no_output_needs_is_held_and_not_run() -> None:
    state = weights(**{"a.weight": (2, 4), "a.bias": (2,), "target.weight": (2, 4), "target.bias": (2,)})
    described = graph(linear("a", "obs", 4, 2), linear("target", "obs", 4, 2), y="a")
    module = load(described, state)
    module.target.forward = None
    assert list(module.state_dict()) == list(state)
    module(torch.ones(1, 4))["y"].sum().backward()
    assert module.a.weight.grad is not None
    assert module.target.weight.grad is None


def test_noise_is_drawn_while_training_only() -> None:
    new = GraphModule(graph(Layer("noisy", "NoisyLinear", ("obs",), {"in_features": 4, "out_features": 3})))
    state = {name: value for name, value in new.state_dict().items() if "epsilon" not in name}
    module = load(new.graph, state)
    assert list(module.state_dict()) == list(state)
    x = torch.ones(2, 4)
    module.train()
    assert not torch.equal(module(x)["y"], module(x)["y"])
    module.eval()
    torch.testing.assert_close(module(x)["y"], module(x)["y"], rtol=0, atol=0)
    means = nn.functional.linear(x, state["noisy.weight_mu"], state["noisy.bias_mu"])
    torch.testing.assert_close(module(x)["y"], means)


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16], ids=str)
def test_batch_statistics_move_while_training(dtype: torch.dtype, counted: bool) -> None:
    state = batch_norm(dtype, counted=counted)
    before = {name: value.clone() for name, value in state.items()}
    module, original = load(NORM, state), nn.BatchNorm1d(4)
    x = torch.randn(8, 4) * 3 + 5
    torch.testing.assert_close(module.train()(x)["y"], original(x))
    assert list(module.state_dict()) == list(state)
    for name in ("running_mean", "running_var"):
        after = module.state_dict()[f"norm.{name}"]
        assert after.dtype == dtype
        assert not torch.equal(after, before[f"norm.{name}"])
        torch.testing.assert_close(after.float(), getattr(original, name), rtol=1e-3, atol=1e-3)
    moved = module.state_dict()
    module.eval()(x)
    assert all(torch.equal(value, moved[name]) for name, value in module.state_dict().items())


def test_a_layer_of_attention_and_of_indices_keep_their_types() -> None:
    described = graph(
        Layer("embed", "Embedding", ("token",), {"num_embeddings": 5, "embedding_dim": 4}),
        linear("head", "embed", 4, 2),
        inputs={"token": ValueType("I64", (None,))},
    )
    state = weights(**{"embed.weight": (5, 4), "head.weight": (2, 4), "head.bias": (2,)})
    half = {name: value.bfloat16() for name, value in state.items()}
    outputs = load(described, half)(torch.tensor([0, 3]))["y"]
    assert outputs.dtype == torch.float32
    expected = load(described, {name: value.float() for name, value in half.items()})
    torch.testing.assert_close(outputs, expected(torch.tensor([0, 3]))["y"], rtol=0, atol=0)


def test_tensors_that_do_not_fit_are_named() -> None:
    described = graph(linear("a", "obs", 4, 2))
    state = weights(**{"a.weight": (2, 4), "a.bias": (2,)})
    with pytest.raises(ArchitectureError, match=r"a\.bias is not there"):
        load(described, {"a.weight": state["a.weight"]})
    with pytest.raises(ArchitectureError, match="other is of no layer"):
        load(described, {**state, "other": torch.ones(1)})


@pytest.mark.parametrize(
    "layers",
    [
        (linear("a", "obs", 4, 2), linear("a.b", "a", 2, 2)),
        (linear("a", "obs", 4, 2, "b"), linear("b", "a", 2, 2)),
        (linear("training", "obs", 4, 2),),
    ],
)
def test_layers_that_would_be_in_each_others_place_are_refused(layers: tuple[Layer, ...]) -> None:
    with pytest.raises(ArchitectureError, match=r"layer|no module"):
        GraphModule(graph(*layers))


INPUTS = {
    "obs.a": VECTOR,
    "obs.b": ValueType("I64", (None,)),
    "action_mask": ValueType("BOOL", (None, 3)),
    "episode_start": ValueType("BOOL", (None,)),
    "state.0": ValueType("F32", (2, None, 5)),
}
ALL = Graph(INPUTS, (), {f"out.{name}": name for name in INPUTS})


def test_what_is_not_given_means_the_first_step() -> None:
    values = GraphModule(ALL)({"obs.a": torch.ones(6, 4), "obs.b": torch.ones(6, dtype=torch.int64)})
    assert values["out.action_mask"].shape == (6, 3)
    assert values["out.action_mask"].all()
    assert values["out.episode_start"].dtype == torch.bool
    assert not values["out.episode_start"].any()
    assert values["out.state.0"].shape == (2, 6, 5)
    assert not values["out.state.0"].any()


def test_inputs_by_position_name_and_part() -> None:
    module, a, b = GraphModule(ALL), torch.rand(2, 4), torch.tensor([1, 2])
    state = torch.rand(2, 2, 5)
    expected = module(a, b, **{"state.0": state})
    for given in (
        module({"a": a, "b": b, "state.0": state}),
        module(obs={"a": a, "b": b.int()}, **{"state.0": state}),
        module({"obs": {"a": a, "b": b}}, state={"0": state}),
    ):
        assert all(torch.equal(value, expected[name]) for name, value in given.items())


@pytest.mark.parametrize(
    ("given", "named", "message"),
    [
        ((), {}, "'obs.a' is missing"),
        ((torch.ones(2, 4),), {}, "'obs.b' is missing"),
        ((torch.ones(2, 4),), {"obs.a": torch.ones(2, 4)}, "given twice"),
        ((torch.ones(4),), {}, r"takes F32\[batch, 4\], got shape \[4\]"),
        ((torch.ones(2, 3),), {}, r"got shape \[2, 3\]"),
        (({"c": torch.ones(2)},), {}, "no input 'c'.*its inputs: obs.a, obs.b"),
        ((torch.ones(1),) * 6, {}, "6 inputs are given"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    given: tuple[object, ...], named: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        GraphModule(ALL)(*given, **named)


def test_it_can_be_compiled() -> None:
    described = graph(
        linear("a", "obs", 4, 3), Layer("b", "ReLU", ("a",)), Layer("c", "ArgMax", ("b",)), y="c"
    )
    module = load(described, weights(**{"a.weight": (3, 4), "a.bias": (3,)}))
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    x = torch.randn(6, 4)
    assert torch.equal(compiled(x)["y"], module(x)["y"])
