"""Graphs that are not well formed are refused by name, whatever is wrong with them."""

import copy
import json
import math
from typing import Any

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptkit import schema
from ckptkit.errors import ArchitectureError
from ckptkit.graph.onnx_model import build
from ckptkit.graph.shapes import MOST_AXES, MOST_ELEMENTS, SCHEMA, Step, infer, misfits
from ckptkit.layers import vocabulary
from ckptkit.model.architecture import Graph, Layer, ValueType, graph_from_json
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.source import MemorySource
from tests.layers import networks
from tests.layers.cases import CASES

INPUTS = {"obs": ValueType("F32", (None, 4)), "index": ValueType("I64", (None,))}
LINEAR = {"in_features": 4, "out_features": 3}


def graph(*layers: Layer, outputs: dict[str, str] | None = None, **inputs: ValueType) -> Graph:
    return Graph(inputs or INPUTS, layers, outputs or {"y": layers[-1].name})


def layer(kind: str, *inputs: str, name: str = "a", aliases: tuple[str, ...] = (), **attrs: Any) -> Layer:
    return Layer(name, kind, inputs or ("obs",), attrs, aliases)


def message(broken: Graph) -> str:
    with pytest.raises(ArchitectureError) as caught:
        infer(broken)
    return str(caught.value)


BROKEN = {
    "takes 'b', which nothing before it gives": graph(layer("ReLU", "b"), layer("ReLU", "a", name="b")),
    "layer a: takes 'a', which nothing": graph(layer("ReLU", "a")),
    "layer a: type must be a layer type of architecture-1.0": graph(layer("Rectifier")),
    'attrs lacks "in_features"': graph(layer("Linear", out_features=3)),
    'lacks "attrs"': graph(layer("Linear")),
    "attrs/in_features must be an integer, is true": graph(layer("Linear", in_features=True, out_features=1)),
    "attrs/in_features must be an integer, is 4.0": graph(layer("Linear", in_features=4.0, out_features=1)),
    "attrs/out_features must be at least 1, is 0": graph(layer("Linear", in_features=4, out_features=0)),
    "attrs/slope is not allowed here": graph(layer("ReLU", slope=1)),
    "takes 5 features, got F32[batch, 4]": graph(layer("Linear", in_features=5, out_features=3)),
    "takes F32, got I64[batch]": graph(layer("ReLU", "index")),
    "takes I64 indices, got F32": graph(layer("OneHot", num_classes=3)),
    "ReLU takes 1, got 2": graph(layer("ReLU", "obs", "obs")),
    "the name 'a' is taken already": graph(layer("ReLU"), layer("Tanh")),
    "the name 'obs' is taken already": graph(layer("ReLU", name="obs")),
    "owns a.weight, which a owns already": graph(
        layer("Linear", **LINEAR), layer("Linear", name="b", aliases=("a",), **LINEAR)
    ),
    "name must be a path of names": graph(layer("ReLU", name="a..b"), outputs={"y": "a..b"}),
    "output y: is taken from 'q'": graph(layer("ReLU"), outputs={"y": "q"}),
    "output y: is taken from 'a:1'": graph(layer("ReLU"), outputs={"y": "a:1"}),
    "input a.bias: a tensor of layer a has the same name": graph(
        layer("Linear", **LINEAR), **{"obs": INPUTS["obs"], "a.bias": INPUTS["obs"]}
    ),
    "output p: a tensor of layer p has the same name": graph(
        Layer("p", "Parameter", (), {"shape": [1]}), outputs={"p": "p"}
    ),
    "the name 'a/Relu_0' is kept for nodes": graph(layer("ReLU"), layer("Tanh", name="a/Relu_0")),
    "output obs: an input has the same name": graph(layer("ReLU"), outputs={"obs": "a"}),
    "has more than 67108864 elements": graph(layer("Linear", in_features=4, out_features=2**40)),
    "input x: F32[batch, 1099511627776] has more": graph(
        layer("ReLU", "x"), x=ValueType("F32", (None, 2**40))
    ),
    "attrs/num_classes must be at most": graph(layer("OneHot", "index", num_classes=10**30)),
    "attrs/num_layers must be at most 64": graph(
        layer("GRU", "obs", "obs", input_size=4, hidden_size=4, num_layers=10**9)
    ),
    "more than one batch axis": graph(
        layer("Add", "x", "y"), x=ValueType("F32", (None, 1)), y=ValueType("F32", (1, None))
    ),
    "more than 8 axes": graph(layer("OneHot", "x", num_classes=2), x=ValueType("I64", (1,) * 8)),
    "is not plain JSON": graph(layer("LeakyReLU", negative_slope=math.nan)),
    "rows of the constant value differ": graph(layer("Add", value=[[1, 2], [3]])),
    "constant 0.5 is not of type I64": graph(layer("Add", "index", value=0.5)),
    "divides no integers": graph(layer("Div", "index", value=2)),
    "do not broadcast": graph(layer("Add", value=[1, 2])),
    "min_val is not below max_val": graph(layer("Hardtanh", min_val=1.0, max_val=1.0)),
    "alpha is 0": graph(layer("CELU", alpha=0)),
    "do not permute": graph(layer("Transpose", axes=[0, 2])),
    "cannot join F32[batch, 4] on axis 2": graph(layer("Concat", axis=2)),
    "cannot join F32[batch, 5, 2], F32[batch, 5] on axis 2": graph(
        layer("Concat", "x", "y", axis=2), x=ValueType("F32", (None, 5, 2)), y=ValueType("F32", (None, 5))
    ),
    "Concat takes one input or more, got 0": graph(Layer("a", "Concat")),
    "[3:9] of axis 1 is not inside": graph(layer("Slice", start=3, stop=9)),
    "does not fill [5]": graph(layer("Reshape", shape=[5])),
    "takes a value without elements": graph(
        Layer("p", "Parameter", (), {"shape": [0]}), layer("Concat", "p", axis=1)
    ),
    "kernel [9] does not fit": graph(
        layer("Conv1d", "x", in_channels=2, out_channels=1, kernel_size=[9]), x=ValueType("F32", (None, 2, 5))
    ),
    "do not divide into 2 groups": graph(
        layer("Conv1d", "x", in_channels=3, out_channels=2, kernel_size=[1], groups=2),
        x=ValueType("F32", (None, 3, 5)),
    ),
    "attrs/kernel_size must have at least 2 items": graph(
        layer("Conv2d", "x", in_channels=3, out_channels=2, kernel_size=[1]),
        x=ValueType("F32", (None, 3, 5, 5)),
    ),
    "more than half of kernel": graph(
        layer("MaxPool1d", "x", kernel_size=[3], padding=[2]), x=ValueType("F32", (None, 3, 5))
    ),
    "output_padding is not smaller": graph(
        layer("ConvTranspose1d", "x", in_channels=3, out_channels=2, kernel_size=[1], output_padding=[1]),
        x=ValueType("F32", (None, 3, 5)),
    ),
    "normalises [3], got": graph(layer("LayerNorm", normalized_shape=[3])),
    "does not divide into 3 heads": graph(
        layer("MultiheadAttention", "x", embed_dim=4, num_heads=3), x=ValueType("F32", (None, 2, 4))
    ),
    "takes F32[batch, 4], F32[1, batch, 5], got": graph(
        layer("GRU", "obs", "obs", input_size=4, hidden_size=5)
    ),
    "mask BOOL[batch, 4] does not fit": graph(
        layer("MaskedFill", "x", "m"), x=ValueType("F32", (1, 4)), m=ValueType("BOOL", (None, 4))
    ),
}


@pytest.mark.parametrize("said", BROKEN)
def test_what_is_wrong_is_said(said: str) -> None:
    assert said in message(BROKEN[said])


def test_a_place_is_named() -> None:
    assert message(graph(layer("ReLU"), layer("Tanh", "nothing", name="head.0"))).startswith("layer head.0: ")


def test_references_name_further_outputs() -> None:
    state = ValueType("F32", (1, None, 3))
    steps = infer(
        graph(
            layer("LSTM", "obs", "h", "c", input_size=4, hidden_size=3),
            layer("ReLU", "a:2", name="b"),
            outputs={"y": "a", "next": "a:1", "cell": "b"},
            obs=INPUTS["obs"],
            h=state,
            c=state,
        )
    )
    assert steps[0].gives == (ValueType("F32", (None, 3)), state, state)
    assert steps[1].takes == (state,)


def test_bounds_are_those_of_the_specification() -> None:
    assert (MOST_ELEMENTS, MOST_AXES) == (2**26, 8)


def held(dtype: str, *shape: int) -> Tensor:
    size = math.prod(shape) * BY_NAME[dtype].itemsize
    return Tensor(
        BY_NAME[dtype], shape, contiguous_strides(shape), 0, Storage(MemorySource(bytes(size), "made"))
    )


def test_tensors_that_do_not_fit_are_named() -> None:
    steps = infer(
        graph(
            layer("Linear", aliases=("twin",), **LINEAR),
            layer("BatchNorm1d", "a", name="norm", num_features=3),
        )
    )
    weight = held("F32", 4, 3)
    tensors = {
        "a.weight": weight,
        "a.bias": held("I64", 3),
        "twin.weight": weight,
        "norm.weight": held("BF16", 3),
        "norm.bias": held("F64", 3),
        "norm.running_mean": held("F32", 3),
        "norm.running_var": held("F32", 3),
        "extra": held("F32", 1),
    }
    assert dict(misfits(steps, tensors)) == {
        "a.weight": "has shape [4, 3], Linear needs [3, 4]",
        "twin.weight": "has shape [4, 3], Linear needs [3, 4]",
        "a.bias": "has dtype I64, Linear needs F32",
        "twin.bias": "Linear needs it, with shape [3]",
        "extra": "no layer of the graph uses it",
    }


def test_an_alias_is_the_same_tensor() -> None:
    steps = infer(graph(layer("Linear", aliases=("twin",), bias=False, **LINEAR)))
    one = held("F32", 3, 4)
    assert list(misfits(steps, {"a.weight": one, "twin.weight": one})) == []
    assert list(misfits(steps, {"a.weight": one, "twin.weight": held("F32", 3, 4)})) == [
        ("twin.weight", "is not the same tensor as a.weight, as the aliases of a say")
    ]


def document(name: str, seed: int) -> dict[str, Any]:
    found = networks.graph(name, CASES[name](networks.seeded(name, seed))).to_json()
    made: dict[str, Any] = json.loads(json.dumps(found))
    return made


NUMBERS = (None, True, False, 0, 1, -1, 2, 7, 64, 2**31, 2**53, 10**40, 0.0, 0.5, -1e39, math.nan, math.inf)
WORDS = (
    "",
    "x",
    "batch",
    "in.0",
    "net.0",
    "net.0:1",
    "F32",
    "I64",
    "C64",
    "Linear",
    "LSTM",
    "ReLU",
    "a.b",
    "\0",
)
CLASHES = (
    "net.0.weight",
    "net.0.bias",
    "net.0/Relu_0",
    "net.0/Add_0",
    "net.0/const_0",
    "out.0",
    "in.0.weight",
)
LISTS = (
    [],
    [0],
    [1],
    [1, 1],
    [2, 3, 4],
    [-1],
    ["batch"],
    ["batch", 3],
    ["in.0"],
    ["in.0"] * 3,
    [[1], [2, 3]],
)
OBJECTS = ({}, [{}], {"a": 1}, {"value": 1}, {"axis": 9}, {"shape": [0]})
VALUES = st.sampled_from((*NUMBERS, *WORDS, *CLASHES, *LISTS, *OBJECTS))
MEMBERS = ("name", "type", "inputs", "attrs", "aliases", "value", "shape", "dtype", "axis", "groups", "bias")
KEYS = st.sampled_from(MEMBERS)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return each (container, key) in a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in list(pairs) for place in [(value, key), *places(item)]]


def mutate(data: st.DataObject, found: dict[str, Any]) -> None:
    """Replace, delete, add, or double something."""
    holder, key = data.draw(st.sampled_from(places(found)))
    match data.draw(st.sampled_from(["replace", "delete", "add", "double"])):
        case "replace":
            holder[key] = copy.deepcopy(data.draw(VALUES))
        case "delete":
            del holder[key]
        case "double" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case _ if isinstance(holder, dict):
            holder[data.draw(KEYS)] = copy.deepcopy(data.draw(VALUES))
        case _:
            holder.append(copy.deepcopy(data.draw(VALUES)))


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_mutated_graphs_are_judged_and_never_crash(data: st.DataObject) -> None:
    found = document(data.draw(st.sampled_from(sorted(CASES))), data.draw(st.integers(0, 20)))
    for _ in range(data.draw(st.integers(1, 3))):
        if places(found):
            mutate(data, found)
    if schema.validate(SCHEMA, {"schema": SCHEMA, "graph": found}):
        return
    try:
        steps = infer(graph_from_json(found))
    except ArchitectureError as error:
        assert error.what
        return
    assert {name for name, _ in misfits(steps, {})} <= {
        name for step in steps for name, _ in step.parameters()
    }
    lower(graph_from_json(found), steps)


def lower(made: Graph, steps: tuple[Step, ...]) -> None:
    """Lower a small graph to ONNX over zeros; what is valid always has a lowering."""
    wanted = {name: parameter for step in steps for name, parameter in step.parameters()}
    if sum(math.prod(parameter.shape) for parameter in wanted.values()) < 100_000:
        built = build(made, {name: held(p.dtype, *p.shape) for name, p in wanted.items()})
        onnx.checker.check_model(built, full_check=True)


ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=2)


@settings(max_examples=800, deadline=None)
@given(st.data())
def test_attributes_from_a_program_are_judged_too(data: st.DataObject) -> None:
    """A graph made in Python has been under no schema."""
    name = data.draw(st.sampled_from(sorted(CASES)))
    case = CASES[name](networks.seeded(name, data.draw(st.integers(0, 20))))
    attrs = {**case.attrs, **data.draw(ATTRIBUTES)}
    for key in data.draw(st.lists(st.sampled_from([*attrs, "none"]), max_size=2)):
        attrs[key] = data.draw(VALUES)
    made = networks.graph(name, case)
    changed = Graph(made.inputs, (Layer(networks.NAME, name, made.layers[0].inputs, attrs),), made.outputs)
    try:
        infer(changed)
    except ArchitectureError as error:
        assert error.what


def test_valid_graphs_stay_valid() -> None:
    for name in CASES:
        found = document(name, 3)
        assert schema.validate(SCHEMA, {"schema": SCHEMA, "graph": found}, strict=True) == []
        assert graph_from_json(found).to_json() == found
        infer(graph_from_json(found))
    assert len(CASES) == len(vocabulary())
