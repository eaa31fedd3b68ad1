"""The policies of MettaAgent's tutorials: two Linears, an LSTM or none, and two heads.

Source: Metta-AI/metta, `packages/mettagrid/python/src/mettagrid/policy/{lstm,stateless}.py` and
`packages/cogames/src/cogames/policy` of 2025. The recurrent one calls its parts `_net`, `_rnn` and
`_action_head`, the others have the names without the line.
"""

import math
from dataclasses import dataclass

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Hints, Recovered
from ckptkit.recovery import recurrence
from ckptkit.recovery.builder import GraphBuilder
from ckptkit.recovery.canonical import Canonical
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.metta.actions import COUNT, named
from ckptkit.recovery.metta.described import Described, names_system
from ckptkit.recovery.metta.units import Core, core
from ckptkit.recovery.relations import Relations

LINES = ("_", "")
ANCHORS = tuple(f"{line}action_head.weight" for line in LINES)
BETWEEN = "1"
SCALE = 255.0
ASK = (
    "which activation has it, and in which units are its observations? no file names the system that made it "
    "(give --assume metta to take that system's)"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One policy as its tensors tell it.

    Attributes:
        names: The state dict.
        line: What its names start with: a low line, or nothing.
        core: The LSTM; None where there is none.
        values: Whether there is a head for the value.
        unexplained: Tensors that have no place in the network.
    """

    names: Canonical
    line: str
    core: Core | None
    values: bool
    unexplained: tuple[str, ...]

    def shape(self, path: str) -> tuple[int, ...]:
        """Return the shape of the weight of a part."""
        return self.names.tensors[f"{self.line}{path}.weight"].shape

    def own(self, path: str) -> str:
        """Return the file's own name of the weight of a part."""
        return self.names.source[f"{self.line}{path}.weight"]


def read(names: Canonical) -> Reading:
    """Compare a state dict with the policies of the family.

    Raises:
        UnlikeError: It is none of them.
    """
    relations = Relations(names)
    line = next(line for line in LINES if relations.has(f"{line}action_head.weight"))
    relations.layer(f"{line}net.0", "hidden", "features")
    relations.layer(f"{line}net.2", "hidden", "hidden")
    size = relations.sizes["hidden"]
    lstm = core(relations, f"{line}rnn", size) if relations.below(f"{line}rnn") else None
    width = lstm.hidden if lstm else size
    relations.layer(f"{line}action_head", "actions", width)
    values = relations.below(f"{line}value_head")
    if values:
        relations.layer(f"{line}value_head", 1, width)
    return Reading(names, line, lstm, values, relations.unexplained())


def recover(name: str, reading: Reading, checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return the architecture of a policy."""
    findings = Findings(name, reading.names, hints, named=names_system(checkpoint))
    described = Described(checkpoint, reading.names)
    hidden, features = reading.shape("net.0")
    findings.prove("obs_size", features, reading.own("net.0"))
    findings.prove("hidden_size", hidden, reading.own("net.0"))
    if reading.core is not None:
        weight = reading.names.source[reading.core.weight]
        findings.prove("rnn.hidden_size", reading.core.hidden, weight)
        findings.prove("rnn.num_layers", reading.core.layers, weight)
    findings.prove(COUNT, reading.shape("action_head")[0], reading.own("action_head"))
    named(checkpoint, reading.shape("action_head")[0], findings)
    activation = _between(reading, described, findings)
    findings.supply("obs_scale", SCALE)
    shape = _observation(features, findings)
    if not findings.profile:
        findings.questions.insert(0, ASK)
    return findings.result(reading.unexplained, lambda builder: _draw(builder, reading, shape, activation))


def _between(reading: Reading, described: Described, findings: Findings) -> str:
    """Record the activation between the Linears and return it."""
    path = f"{reading.line}net"
    if not described.kind(path):
        findings.supply("nonlinearity", "ReLU")
        return "ReLU"
    found = described.activation(f"{path}.{BETWEEN}")
    if found is None or described.children(path) != ["0", BETWEEN, "2"]:
        findings.unknown("nonlinearity")
        findings.ask(
            f"what does {described.own(path)} compute? it is not two layers with a known activation between"
        )
        return "Identity"
    findings.prove("nonlinearity", found, described.own(f"{path}.{BETWEEN}"))
    return found


def _observation(features: int, findings: Findings) -> tuple[int, ...]:
    shape = findings.hints.input_shape
    if shape is None:
        return (features,)
    if math.prod(shape) != features:
        typed = ",".join(map(str, shape))
        findings.ask(f"what does it take? --input-shape says {typed}, and its weights {features} numbers")
    findings.assume("obs_shape", list(shape), (), "--input-shape")
    return shape


def _draw(builder: GraphBuilder, reading: Reading, shape: tuple[int, ...], activation: str) -> None:
    x = builder.input("obs", "F32", (None, *shape))
    if len(shape) > 1:
        x = builder.add("Flatten", x)
    x = builder.linear(_path(reading, "net.0"), builder.add("Div", x, name="obs/scaled", value=SCALE))
    x = builder.linear(_path(reading, "net.2"), builder.add(activation, x))
    after = {}
    if reading.core is not None:
        path = reading.names.module(reading.core.path)
        x = recurrence.lstm(builder, path, x, recurrence.kept(builder), "state")
        after = recurrence.next_states(path)
    logits = builder.linear(_path(reading, "action_head"), x)
    builder.outputs = {"action": builder.add("ArgMax", logits, name="best"), "logits": logits}
    if reading.values:
        value = builder.linear(_path(reading, "value_head"), x)
        builder.outputs["value"] = builder.add("Squeeze", value, name="values", axis=1)
    builder.outputs |= after


def _path(reading: Reading, path: str) -> str:
    return reading.names.module(f"{reading.line}{path}")
