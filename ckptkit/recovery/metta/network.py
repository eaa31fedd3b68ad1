"""The graph of a brain: one step from a grid of cells, and from the LSTM's states.

Scores: query = tanh(x W), score = query · embedding + bias, for each embedding that is an action. The
larger head has several forms, and a small network from them to one score.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.recovery import recurrence
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.metta.grid import Window
from ckptkit.recovery.metta.reading import EMBEDDING, INDICES, MLP, NORMALIZER, Head, Reading
from ckptkit.recovery.metta.units import Unit


@dataclass(frozen=True, slots=True)
class Settled:
    """What the graph needs beside the tensors.

    Attributes:
        shape: Channels, width and height.
        windows: Strides and padding of the convolutions.
        activations: Layer type behind each unit; None where nothing follows.
    """

    shape: tuple[int, ...]
    windows: tuple[Window, ...]
    activations: Mapping[str, str | None]


def draw(builder: GraphBuilder, reading: Reading, settled: Settled) -> None:
    """Add the layers; inputs `obs` (values as the environment gives them), states and `episode_start`."""
    x = builder.input("obs", "F32", (None, *settled.shape))
    if reading.normalized:
        norm = builder.parameter(reading.own(NORMALIZER), buffer=True)
        x = builder.add("Div", x, norm, name="obs/normalized")
    for unit, window in zip(reading.convolutions, settled.windows, strict=True):
        geometry = {"stride": [window.stride] * 2, "padding": [window.padding] * 2}
        x = _activated(builder, builder.conv(_path(reading, unit), x, **geometry), unit, settled)
    x = _chain(builder, reading, settled, reading.encoder, builder.add("Flatten", x))
    core = reading.names.module(reading.core.path)
    x = recurrence.lstm(builder, core, x, recurrence.kept(builder), "state")
    value = _chain(builder, reading, settled, reading.critic, x)
    value = builder.add("Squeeze", value, name="values", axis=1)
    features = _chain(builder, reading, settled, reading.actor, x)
    if reading.head is None:
        builder.outputs = {reading.actor[-1].name: features}
    else:
        logits = _scores(builder, reading, reading.head, features)
        best = {"action": builder.add("ArgMax", logits, name="best")} if reading.head.active else {}
        builder.outputs = {**best, "logits": logits}
    builder.outputs |= {"value": value, **recurrence.next_states(core)}


def _path(reading: Reading, unit: Unit) -> str:
    return reading.names.module(unit.path)


def _chain(builder: GraphBuilder, reading: Reading, settled: Settled, units: tuple[Unit, ...], x: str) -> str:
    for unit in units:
        x = _activated(builder, builder.linear(_path(reading, unit), x), unit, settled)
    return x


def _activated(builder: GraphBuilder, x: str, unit: Unit, settled: Settled) -> str:
    kind = settled.activations[unit.name]
    return builder.add(kind, x) if kind else x


def _scores(builder: GraphBuilder, reading: Reading, head: Head, x: str) -> str:
    keys = builder.add("Transpose", _keys(builder, reading, head), name="keys", axes=[1, 0])
    form, bias = (builder.parameter(reading.own(f"_action_.{name}")) for name in ("W", "bias"))
    if not head.big:
        form = form if head.single else builder.add("Squeeze", form, name="form", axis=0)
        query = builder.add("Tanh", builder.add("MatMul", x, form, name="query"))
        return builder.add("Add", builder.add("MatMul", query, keys, name="scores"), bias, name="biased")
    columns = builder.add("Transpose", x, name="columns", axes=[1, 0])
    forms = builder.add("Transpose", form, name="forms", axes=[0, 2, 1])
    query = builder.add("MatMul", forms, columns, name="query")
    query = builder.add("Tanh", builder.add("Transpose", query, name="queries", axes=[2, 0, 1]))
    scores = builder.add("MatMul", query, keys, name="scores")
    scores = builder.add("Transpose", scores, name="of_actions", axes=[0, 2, 1])
    scores = builder.add("ReLU", builder.add("Add", scores, bias, name="biased"))
    scores = builder.linear(reading.names.module(f"{MLP}.0"), scores)
    scores = builder.linear(reading.names.module(f"{MLP}.2"), builder.add("ReLU", scores))
    return builder.add("Squeeze", scores, name="combined", axis=2)


def _keys(builder: GraphBuilder, reading: Reading, head: Head) -> str:
    """Return the embeddings of the actions, one in a row."""
    path = reading.names.module(EMBEDDING)
    if INDICES in reading.names.tensors:
        rows = builder.parameter(reading.own(INDICES), buffer=True)
    if head.active is None:
        return builder.parameter(f"{path}.weight")
    return builder.own("Embedding", path, rows, num_embeddings=head.rows, embedding_dim=head.width)
