"""LSTM, GRU and RNN, one time step: (x, state…) -> (y, next state…).

Source: torch 2.13, `torch/nn/modules/rnn.py`. Gates of an LSTM come in the order input, forget, cell,
output; of a GRU reset, update, new. States are (layers, batch, hidden).
"""

from collections.abc import Mapping, Sequence

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect, own_module
from ckptkit.layers.linear import product
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _shown(attrs: Attrs) -> int:
    """Return the width of what a layer gives: that of the projection where there is one."""
    return int(attrs.get("proj_size", 0) or attrs["hidden_size"])


def _infer(kind: str, attrs: Attrs, types: Types) -> Sequence[ValueType]:
    width, hidden, layers = _shown(attrs), attrs["hidden_size"], attrs["num_layers"]
    states = [ValueType("F32", (layers, None, width))]
    if kind == "LSTM":
        expect(attrs["proj_size"] < hidden, "proj_size is not smaller than hidden_size")
        states.append(ValueType("F32", (layers, None, hidden)))
    wanted = [ValueType("F32", (None, attrs["input_size"])), *states]
    expect(list(types) == wanted, f"takes {', '.join(map(str, wanted))}, got {', '.join(map(str, types))}")
    return [ValueType("F32", (None, width)), *states]


def _parameters(kind: str, attrs: Attrs) -> Mapping[str, Parameter]:
    rows, width = GATES[kind] * attrs["hidden_size"], _shown(attrs)
    found = {}
    for layer in range(attrs["num_layers"]):
        found[f"weight_ih_l{layer}"] = Parameter((rows, width if layer else attrs["input_size"]))
        found[f"weight_hh_l{layer}"] = Parameter((rows, width))
        if attrs["bias"]:
            found[f"bias_ih_l{layer}"] = Parameter((rows,))
            found[f"bias_hh_l{layer}"] = Parameter((rows,))
        if attrs.get("proj_size"):
            found[f"weight_hr_l{layer}"] = Parameter((width, attrs["hidden_size"]))
    return found


def _gates(scope: OnnxScope, attrs: Attrs, layer: int, side: str, x: str) -> str:
    """Return W x + b of one side (`ih` or `hh`) of one layer, all gates in a row."""
    bias = [scope.parameter(f"bias_{side}_l{layer}")] if attrs["bias"] else []
    size = attrs["input_size"] if side == "ih" and not layer else _shown(attrs)
    return product(scope, x, scope.parameter(f"weight_{side}_l{layer}"), bias, size)


def _pick(scope: OnnxScope, state: str, layer: int) -> str:
    """Return the state of one layer, (batch, hidden)."""
    import numpy as np

    return scope.one("Gather", state, scope.constant(np.array(layer, np.int64)), axis=0)


def _split(scope: OnnxScope, attrs: Attrs, x: str, parts: int) -> list[str]:
    return scope.node("Split", [x, scope.ints(*[attrs["hidden_size"]] * parts)], parts, axis=1)


def _sum(scope: OnnxScope, attrs: Attrs, layer: int, x: str, h: str) -> str:
    return scope.one("Add", _gates(scope, attrs, layer, "ih", x), _gates(scope, attrs, layer, "hh", h))


def _lstm_cell(scope: OnnxScope, attrs: Attrs, layer: int, x: str, states: list[str]) -> list[str]:
    h, c = states
    i, f, g, o = _split(scope, attrs, _sum(scope, attrs, layer, x, h), 4)
    kept = scope.one("Mul", scope.one("Sigmoid", f), c)
    c = scope.one("Add", kept, scope.one("Mul", scope.one("Sigmoid", i), scope.one("Tanh", g)))
    h = scope.one("Mul", scope.one("Sigmoid", o), scope.one("Tanh", c))
    if attrs["proj_size"]:
        h = product(scope, h, scope.parameter(f"weight_hr_l{layer}"), [], attrs["hidden_size"])
    return [h, c]


def _gru_cell(scope: OnnxScope, attrs: Attrs, layer: int, x: str, states: list[str]) -> list[str]:
    (h,) = states
    xr, xz, xn = _split(scope, attrs, _gates(scope, attrs, layer, "ih", x), 3)
    hr, hz, hn = _split(scope, attrs, _gates(scope, attrs, layer, "hh", h), 3)
    r = scope.one("Sigmoid", scope.one("Add", xr, hr))
    z = scope.one("Sigmoid", scope.one("Add", xz, hz))
    n = scope.one("Tanh", scope.one("Add", xn, scope.one("Mul", r, hn)))
    return [scope.one("Add", n, scope.one("Mul", z, scope.one("Sub", h, n)))]


def _rnn_cell(scope: OnnxScope, attrs: Attrs, layer: int, x: str, states: list[str]) -> list[str]:
    op = {"tanh": "Tanh", "relu": "Relu"}[attrs["nonlinearity"]]
    return [scope.one(op, _sum(scope, attrs, layer, x, states[0]))]


CELLS = {"LSTM": _lstm_cell, "GRU": _gru_cell, "RNN": _rnn_cell}


def _onnx(kind: str, scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    x, stacked = inputs[0], list(inputs[1:])
    after: list[list[str]] = [[] for _ in stacked]
    for layer in range(attrs["num_layers"]):
        states = CELLS[kind](scope, attrs, layer, x, [_pick(scope, state, layer) for state in stacked])
        x = states[0]
        for rows, state in zip(after, states, strict=True):
            rows.append(scope.one("Unsqueeze", state, scope.ints(0)))
    return [x, *(scope.one("Concat", *rows, axis=0) for rows in after)]


def _recurrent(kind: str, summary: str, **defaults: object) -> LayerType:
    return LayerType(
        type=kind,
        summary=summary,
        infer=lambda attrs, types: _infer(kind, attrs, types),
        parameters=lambda attrs: _parameters(kind, attrs),
        onnx=lambda scope, attrs, inputs: _onnx(kind, scope, attrs, inputs),
        torch=own_module(f"{kind}Step"),
        defaults={"num_layers": 1, "bias": True, **defaults},
        takes=(3,) if kind == "LSTM" else (2,),
    )


LAYERS = (
    _recurrent("LSTM", "One step of a stacked LSTM: (x, h, c) -> (y, next h, next c).", proj_size=0),
    _recurrent("GRU", "One step of a stacked GRU: (x, h) -> (y, next h)."),
    _recurrent("RNN", "One step of a stacked Elman network: (x, h) -> (y, next h).", nonlinearity="tanh"),
)
