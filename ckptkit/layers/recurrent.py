"""LSTM and GRU, one time step: (x, state…) -> (y, next state…).

Sources: torch 2.13, `torch/nn/modules/rnn.py`: gates of an LSTM in the order input, forget, cell,
output; of a GRU reset, update, new. States are (layers, batch, hidden).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ckptkit.layers import Attrs, LayerType, Parameter, Types, expect
from ckptkit.layers.onnx_scope import OnnxScope
from ckptkit.model.architecture import ValueType

GATES = {"LSTM": 4, "GRU": 3}
STATES = {"LSTM": 2, "GRU": 1}


def _infer(kind: str, attrs: Attrs, types: Types) -> Sequence[ValueType]:
    state = ValueType("F32", (attrs["num_layers"], None, attrs["hidden_size"]))
    expect(len(types) == 1 + STATES[kind], f"{kind} takes its input and {STATES[kind]} states")
    expect(
        types[0].shape == (None, attrs["input_size"]), f"takes {attrs['input_size']} features, got {types[0]}"
    )
    expect(all(value == state for value in types[1:]), f"takes states {state}, got {types[1]}")
    return [ValueType("F32", (None, attrs["hidden_size"])), *types[1:]]


def _parameters(kind: str, attrs: Attrs) -> Mapping[str, Parameter]:
    rows, hidden = GATES[kind] * attrs["hidden_size"], attrs["hidden_size"]
    found = {}
    for layer in range(attrs["num_layers"]):
        found[f"weight_ih_l{layer}"] = Parameter((rows, hidden if layer else attrs["input_size"]))
        found[f"weight_hh_l{layer}"] = Parameter((rows, hidden))
        if attrs["bias"]:
            found[f"bias_ih_l{layer}"] = Parameter((rows,))
            found[f"bias_hh_l{layer}"] = Parameter((rows,))
    return found


def _gates(scope: OnnxScope, attrs: Attrs, layer: int, side: str, x: str) -> str:
    """Return W x + b of one side (`ih` or `hh`) of one layer, all gates in a row."""
    bias = [scope.parameter(f"bias_{side}_l{layer}")] if attrs["bias"] else []
    return scope.node("Gemm", [x, scope.parameter(f"weight_{side}_l{layer}"), *bias], transB=1)[0]


def _pick(scope: OnnxScope, state: str, layer: int) -> str:
    """Return the state of one layer, (batch, hidden)."""
    import numpy as np

    return scope.one("Gather", state, scope.constant(np.array(layer, np.int64)), axis=0)


def _split(scope: OnnxScope, attrs: Attrs, x: str, parts: int) -> list[str]:
    return scope.node("Split", [x, scope.ints(*[attrs["hidden_size"]] * parts)], parts, axis=1)


def _lstm_cell(scope: OnnxScope, attrs: Attrs, layer: int, x: str, states: list[str]) -> list[str]:
    h, c = states
    total = scope.one("Add", _gates(scope, attrs, layer, "ih", x), _gates(scope, attrs, layer, "hh", h))
    i, f, g, o = _split(scope, attrs, total, 4)
    kept = scope.one("Mul", scope.one("Sigmoid", f), c)
    c = scope.one("Add", kept, scope.one("Mul", scope.one("Sigmoid", i), scope.one("Tanh", g)))
    return [scope.one("Mul", scope.one("Sigmoid", o), scope.one("Tanh", c)), c]


def _gru_cell(scope: OnnxScope, attrs: Attrs, layer: int, x: str, states: list[str]) -> list[str]:
    (h,) = states
    xr, xz, xn = _split(scope, attrs, _gates(scope, attrs, layer, "ih", x), 3)
    hr, hz, hn = _split(scope, attrs, _gates(scope, attrs, layer, "hh", h), 3)
    r = scope.one("Sigmoid", scope.one("Add", xr, hr))
    z = scope.one("Sigmoid", scope.one("Add", xz, hz))
    n = scope.one("Tanh", scope.one("Add", xn, scope.one("Mul", r, hn)))
    return [scope.one("Add", n, scope.one("Mul", z, scope.one("Sub", h, n)))]


def _onnx(kind: str, scope: OnnxScope, attrs: Attrs, inputs: Sequence[str]) -> Sequence[str]:
    cell = {"LSTM": _lstm_cell, "GRU": _gru_cell}[kind]
    x, stacked = inputs[0], list(inputs[1:])
    after: list[list[str]] = [[] for _ in stacked]
    for layer in range(attrs["num_layers"]):
        states = cell(scope, attrs, layer, x, [_pick(scope, state, layer) for state in stacked])
        x = states[0]
        for rows, state in zip(after, states, strict=True):
            rows.append(scope.one("Unsqueeze", state, scope.ints(0)))
    return [x, *(scope.node("Concat", rows, axis=0)[0] for rows in after)]


def _torch(kind: str, attrs: Attrs) -> Callable[..., Any]:
    from ckptkit.nn import modules

    made: Callable[..., Any] = getattr(modules, f"{kind}Step")(**attrs)
    return made


def _recurrent(kind: str, summary: str) -> LayerType:
    return LayerType(
        type=kind,
        summary=summary,
        infer=lambda attrs, types: _infer(kind, attrs, types),
        parameters=lambda attrs: _parameters(kind, attrs),
        onnx=lambda scope, attrs, inputs: _onnx(kind, scope, attrs, inputs),
        torch=lambda attrs: _torch(kind, attrs),
        defaults={"num_layers": 1, "bias": True},
    )


LAYERS = (
    _recurrent("LSTM", "One step of a stacked LSTM: (x, h, c) -> (y, next h, next c)."),
    _recurrent("GRU", "One step of a stacked GRU: (x, h) -> (y, next h)."),
)
