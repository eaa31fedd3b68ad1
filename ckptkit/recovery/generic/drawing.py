"""The graph of a plain chain, once the user vouches for all that its tensors do not tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ckptkit.errors import ArchitectureError
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.canonical import Canonical
from ckptkit.recovery.generic.chain import Chain, kernel, plain
from ckptkit.recovery.generic.geometry import Step
from ckptkit.recovery.generic.reading import Reading
from ckptkit.recovery.generic.widths import gives


@dataclass(frozen=True, slots=True)
class Settled:
    """What a chain needs beside its tensors.

    Attributes:
        activation: Layer type.
        input_shape: Of one observation.
        steps: What each convolution does to sizes.
        atoms: Values of each action that `support` weighs; 0 where it has none.
    """

    activation: str
    input_shape: tuple[int, ...]
    steps: tuple[Step, ...] = ()
    atoms: int = 0


def between(before: Reading, after: Reading) -> int | None:
    """Return how many places a Sequential has between two modules; None where they are not in one."""
    paths = [one.group.path.rpartition(".") for one in (before, after)]
    same = paths[0][0] == paths[1][0] and all(path[2].isdigit() for path in paths)
    return int(paths[1][2]) - int(paths[0][2]) - 1 if same else None


def crowded(found: Chain) -> list[str]:
    """Return what does not fit one activation between each two modules, one line each."""
    wrong: dict[str, None] = {}
    for line in found.lines:
        for before, after in pairwise(line):
            room = between(before, after)
            wanted = 2 if kernel(before) and not kernel(after) else 1
            if room is not None and room != wanted:
                wrong[f"{room} places between {before.group.path} and {after.group.path}"] = None
    return list(wrong)


def disordered(found: Chain) -> list[str]:
    """Return each two modules whose names count the other way than the file has them, one line each."""
    wrong: dict[str, None] = {}
    for line in found.lines:
        last: dict[str, tuple[int, str]] = {}
        for path in (one.group.path for one in line):
            stem = path.rstrip("0123456789")
            number = int(path[len(stem) :] or 0)
            before, other = last.get(stem, (-1, ""))
            if number < before:
                wrong[f"{other} or {path}"] = None
            last[stem] = (number, path)
    return list(wrong)


def draw(builder: GraphBuilder, names: Canonical, found: Chain, settled: Settled) -> None:
    """Add input `obs`, the layers, and the outputs."""
    drawn = _Drawing(builder, names, settled)
    x = builder.input("obs", "F32", (None, *settled.input_shape))
    for step, one in zip(settled.steps, found.convolutions, strict=True):
        x = drawn.activated(drawn.convolution(one, step, x))
    if len(settled.input_shape) > 1:
        x = builder.add("Flatten", x)
    x = drawn.line(found.linear, x)
    if not found.heads and not settled.atoms:
        builder.outputs = {"output": x}
        return
    if found.linear and found.heads:
        x = drawn.activated(x)
    drawn.values([drawn.line(head, x) for head in found.heads] or [x], found)


@dataclass(frozen=True, slots=True)
class _Drawing:
    builder: GraphBuilder
    names: Canonical
    settled: Settled

    def activated(self, x: str) -> str:
        return self.builder.add(self.settled.activation, x)

    def line(self, layers: Sequence[Reading], x: str) -> str:
        """Add Linear layers with an activation between each two."""
        for at, one in enumerate(layers):
            x = self.linear(one, self.activated(x) if at else x)
        return x

    def linear(self, one: Reading, x: str) -> str:
        path, value = self.names.module(one.group.path), plain(one)
        attrs = {name: value[name] for name in ("in_features", "out_features")}
        if value["type"] == "Linear":
            return self.builder.own("Linear", path, x, **attrs, bias=value["bias"])
        return self.builder.own("NoisyLinear", path, x, **attrs, noise=value["noise"])

    def convolution(self, one: Reading, step: Step, x: str) -> str:
        value = plain(one)
        attrs = {name: value[name] for name in ("in_channels", "out_channels", "kernel_size", "bias")}
        stride = [step.stride] * len(step.padding)
        path = self.names.module(one.group.path)
        return self.builder.own(
            str(value["type"]), path, x, **attrs, stride=stride, padding=list(step.padding)
        )

    def values(self, heads: Sequence[str], found: Chain) -> None:
        """Add what makes values of actions from one head, or from one for values and one for advantages."""
        builder, atoms = self.builder, self.settled.atoms
        line = found.heads[-1] if found.heads else found.linear
        actions = (gives(plain(line[-1])) or 0) // (atoms or 1)
        logits = heads[-1]
        if atoms:
            logits = builder.add("Reshape", logits, name="atoms", shape=[actions, atoms])
        if found.heads:
            value = (
                builder.add("Reshape", heads[0], name="value_of_atoms", shape=[1, atoms])
                if atoms
                else heads[0]
            )
            mean = builder.add("Mean", logits, name="mean_advantage", axis=1, keepdim=True)
            both = builder.add("Add", value, logits, name="value_and_advantage")
            logits = builder.add("Sub", both, mean, name="dueling")
        q_values = self.expected(logits, found) if atoms else logits
        builder.outputs = {"action": builder.add("ArgMax", q_values, name="greedy"), "q_values": q_values}

    def expected(self, logits: str, found: Chain) -> str:
        """Add the mean of the atoms under the softmax of their logits."""
        builder, path = self.builder, self.names.source[found.support]
        tensor = self.names.tensors[found.support]
        chances = builder.add("Softmax", logits, name="probabilities_of_atoms", axis=2)
        dtype = tensor.dtype.name
        support = builder.own("Parameter", path, shape=list(tensor.shape), dtype=dtype, buffer=True)
        if dtype != "F32":
            support = builder.add("Cast", support, dtype="F32")
        weighted = builder.add("Mul", chances, support, name="weighted")
        return builder.add("Sum", weighted, name="expectation", axis=2)


def buildable(found: Chain) -> None:
    """Refuse modules whose tensors the vocabulary's layer does not have.

    Raises:
        ArchitectureError: A noisy layer is spelled otherwise, or a module is the outermost one.
    """
    for one in (*found.convolutions, *found.linear, *(one for head in found.heads for one in head)):
        if not one.group.path:
            raise ArchitectureError("a graph has no layer without a name, and its tensors have no path")
        if plain(one)["type"] == "NoisyLinear" and not {"weight_mu", "bias_mu"} <= one.group.leaves.keys():
            raise ArchitectureError(f"no layer of a graph spells its tensors as {one.group.path} does")
