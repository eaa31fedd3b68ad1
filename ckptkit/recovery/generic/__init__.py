"""Recover what can be proven of a state dict that no family claims.

The result is a `Recovered` of family `generic`. Its `config` holds one field for each module, and fields
for what modules have in common:

- `modules.PATH`: which module owns the tensors below PATH (canonical path, without wrappers). Its value is
  `{"type": …, attribute: …}` with torch's own names, and attributes only where shapes can tell them: no
  stride, no padding, no eps. Its alternatives are whole values of the same form. `proven`: nothing else that
  torch has fits; `constrained`: value and alternatives are all that fit, the likeliest first, and what all of
  them agree on is thereby proven; `unknown`: value null, because tensors of the module are not accounted for
  (the alternatives then fit the others). Evidence: the file's own names of its tensors. A tensor that no
  module explains is a module of type `Parameter` (`shape`, `dtype`), whose PATH is its whole name.
  `modules.` alone is the outermost module itself.
- `premise`: what the word proven rests on.
- Proven, as names, shapes and values say no more: `sequences.PATH`, `repeats.PATH`, `same_shapes`,
  `shared_tensors`, `support`.
- Unknown, with what agrees as alternatives, since equal widths are no wire: `chains`, `heads`, `rows.PATH`,
  `side_inputs.PATH`, `squeezes`; for a plain chain `geometry` (`{"stride": […], "padding": […]}`, with `pool`
  where there is one), `activation` and `input_shape`; for any other network `geometry.PATH` of the
  convolutions from PATH on; `attention.PATH` (`{"embed_dim", "num_heads"}`).
- Assumed, where the user names profiles for a plain chain: `layers`, `activation`, `conv_stride`,
  `conv_padding`, `dueling`, `distributional`.

Types beside those of `spec/architecture.md`: `LSTMCell`, `GRUCell`, `RNNCell`, `InstanceNorm1d` to `3d`,
`FrozenBatchNorm2d`, `EmbeddingBag`, `Bilinear`; `parametrization` is one of `weight_norm`, `spectral_norm`,
`prune`; `transposed` marks a matrix stored as (in, out), as in `transformers.Conv1D`.
"""

from dataclasses import replace

from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.recovered import Field, Hints, Recovered, Status
from ckptkit.recovery.canonical import Canonical, canonical
from ckptkit.recovery.evidence import Findings
from ckptkit.recovery.generic import heads, stacks, structure, vouching
from ckptkit.recovery.generic.chain import chain
from ckptkit.recovery.generic.grouping import groups
from ckptkit.recovery.generic.modules import read
from ckptkit.recovery.generic.parts import alone, parts
from ckptkit.recovery.generic.reading import Reading

__all__ = ["NAME", "PREMISE", "alone", "recover"]

NAME = "generic"
APART = frozenset({"same_shapes", "shared_tensors"})
"""Facts that speak against a plain chain, whatever widths agree: copies, and layers that run twice."""
MOST_TENSORS = 10_000
"""Above this no module is looked at: no network that a profile describes has so many, and a list of them all
would be longer than what it tells."""
PREMISE = "tensors have the names that torch.nn and its usual kin give them, and mean what they mean there"


def recover(checkpoint: Checkpoint, hints: Hints) -> Recovered:
    """Return all that can be known of a checkpoint that no family claims."""
    everything = tuple(checkpoint.tensors)
    if len(everything) > MOST_TENSORS:
        question = (
            "which network is it? no family that ckptkit knows claims it, and its modules are not looked at: "
            f"{len(everything):,} tensors, at most {MOST_TENSORS:,}"
        )
        return Recovered(family=NAME, questions=(question,), unexplained=everything)
    names = canonical(checkpoint.tensors)
    findings = Findings(NAME, names, hints, named=False)
    findings.config["premise"] = Field(PREMISE, Status.ASSUMED, ("ckptkit",))
    readings = read(groups(names))
    for reading in readings:
        findings.config[f"modules.{reading.group.path}"] = _field(names, reading)
    structure.record(findings)
    heads.record(findings, readings)
    unread = _unread(names, readings)
    branches = stacks.attending(findings, readings) or bool(APART & findings.config.keys())
    found = None if unread or branches else chain(readings)
    if found is None:
        stacks.record(findings, readings)
        findings.ask(
            "which network is it? no family that ckptkit knows claims it, and its modules are no plain chain "
            "that a profile describes"
        )
        result = findings.open(unread)
    else:
        settled = vouching.settle(findings, found)
        vouching.check(findings, found)
        result = findings.result(unread, lambda builder: vouching.draw(findings, builder, found, settled))
    return replace(result, parts=parts(names, readings))


def _field(names: Canonical, reading: Reading) -> Field:
    evidence = tuple(names.source[_name(reading, leaf)] for leaf in reading.group.leaves)
    others = reading.candidates if reading.value is None else reading.candidates[1:]
    return Field(reading.value, reading.status, evidence, others)


def _name(reading: Reading, leaf: str) -> str:
    return reading.group.name(leaf) if leaf else reading.group.path


def _unread(names: Canonical, readings: list[Reading]) -> tuple[str, ...]:
    return tuple(names.source[_name(reading, leaf)] for reading in readings for leaf in reading.unread)
