"""The graph of an Asteroids network.

Dueling: Q = V + A - mean of A over the actions, for each atom on logits where there are atoms.
Distributional: softmax over the atoms, Q = sum of probability times `support`.
"""

from dataclasses import dataclass

from ckptkit.recovery.asteroids.reading import DUELING, LAST, Reading
from ckptkit.recovery.builder import GraphBuilder


@dataclass(frozen=True, slots=True)
class Settled:
    """What the graph needs beside the tensors.

    Attributes:
        input_shape: Channels, height and width.
        actions: Number of actions.
        atoms: Atoms for each action; 0 where there are none.
        values: The atoms where no buffer holds them.
        std_init: Noise that a new layer starts with; training only.
    """

    input_shape: tuple[int, ...]
    actions: int
    atoms: int
    values: tuple[float, ...] = ()
    std_init: float | None = None


def draw(builder: GraphBuilder, reading: Reading, settled: Settled) -> None:
    """Add the layers, the input `obs` (floats from 0 to 1) and the outputs."""
    x = builder.input("obs", "F32", (None, *settled.input_shape))
    for index, (_, stride) in enumerate(reading.windows):
        path = reading.names.module(f"conv.{2 * index}")
        x = builder.add("ReLU", builder.conv(path, x, stride=[stride, stride]))
    x = builder.add("Flatten", x)
    heads = {head: _head(builder, reading, settled, head, x) for head in reading.heads}
    logits = heads[reading.heads[-1]]
    if settled.atoms:
        logits = builder.add("Reshape", logits, name="atoms", shape=[settled.actions, settled.atoms])
    if reading.dueling:
        logits = _dueling(builder, heads[DUELING[0]], logits, settled.atoms)
    if not settled.atoms:
        builder.outputs = {"action": builder.add("ArgMax", logits, name="action"), "q_values": logits}
        return
    chances = builder.add("Softmax", logits, name="probabilities_of_atoms", axis=2)
    values = builder.add("Sum", _weighted(builder, reading, settled, chances), name="expectation", axis=2)
    builder.outputs = {
        "action": builder.add("ArgMax", values, name="greedy"),
        "q_values": values,
        "probabilities": chances,
    }


def _head(builder: GraphBuilder, reading: Reading, settled: Settled, head: str, x: str) -> str:
    for index in (0, LAST):
        path = reading.names.module(f"{head}.{index}")
        if reading.noisy:
            rows, columns = builder.shape(f"{path}.weight_mu")
            std = {} if settled.std_init is None else {"std_init": settled.std_init}
            x = builder.own("NoisyLinear", path, x, in_features=columns, out_features=rows, **std)
        else:
            x = builder.linear(path, x)
        if index != LAST:
            x = builder.add("ReLU", x)
    return x


def _dueling(builder: GraphBuilder, value: str, advantage: str, atoms: int) -> str:
    if atoms:
        value = builder.add("Reshape", value, name="value_of_atoms", shape=[1, atoms])
    mean = builder.add("Mean", advantage, name="mean_advantage", axis=1, keepdim=True)
    both = builder.add("Add", value, advantage, name="value_and_advantage")
    return builder.add("Sub", both, mean, name="dueling")


def _weighted(builder: GraphBuilder, reading: Reading, settled: Settled, chances: str) -> str:
    if settled.values:
        return builder.add("Mul", chances, name="weighted", value=list(settled.values))
    support = builder.parameter(reading.names.source["support"], buffer=True)
    return builder.add("Mul", chances, support, name="weighted")
