"""One file of the zoo as plain data: what the generating process hands to the scoring one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.recovery.header import Entry, from_json, to_json
from benchmarks.recovery.network import Network, Truth
from benchmarks.recovery.variants import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A state dict with everything that its scoring needs.

    Attributes:
        id: Kind, number of the network, and what was changed.
        kind: Row of the scorecard.
        family: Which family has to claim it.
        variant: What was changed.
        header: The state dict.
        truth: By the family's field names.
        refused: Whether the family must not take it.
        stranger: Whether a tensor was added that no network has.
        changed: The tensor whose shape was changed; empty where none was.
        assume: Profiles that settle what weights cannot tell.
        input_shape: What the user has to say of the input.
        beside: Entries of the file beside its weights.
    """

    id: str
    kind: str
    family: str
    variant: str
    header: Mapping[str, Entry]
    truth: Mapping[str, Truth]
    refused: bool
    stranger: bool
    changed: str
    assume: tuple[str, ...]
    input_shape: tuple[int, ...] | None
    beside: Mapping[str, Any]

    @property
    def tied(self) -> bool:
        """Whether tensors share storages, which a safetensors file cannot say."""
        return any(one.tied for one in self.header.values())


def case(network: Network, number: int, variant: Variant) -> Case:
    """Return one file of the zoo."""
    other = variant.name == "mutated into another"
    shape = variant.truth.get("input_shape") if other else None
    return Case(
        id=f"{network.kind} {number}, {variant.name}",
        kind=network.kind,
        family=network.family,
        variant=variant.name,
        header=variant.header,
        truth=variant.truth,
        refused=variant.refused,
        stranger=variant.stranger,
        changed=variant.changed,
        assume=network.assume,
        input_shape=tuple(shape.value) if shape and network.input_shape else network.input_shape,
        beside=network.beside,
    )


def dumps(one: Case) -> str:
    """Return one line of JSON."""
    plain = {name: getattr(one, name) for name in Case.__slots__}
    plain["header"] = to_json(one.header)
    plain["truth"] = {name: [truth.value, truth.grade] for name, truth in one.truth.items()}
    return json.dumps(plain, separators=(",", ":"))


def loads(line: str) -> Case:
    """Return the case that `dumps` was given."""
    plain = json.loads(line)
    plain["header"] = from_json(plain["header"])
    plain["truth"] = {name: Truth(value, grade) for name, (value, grade) in plain["truth"].items()}
    plain["assume"] = tuple(plain["assume"])
    if plain["input_shape"] is not None:
        plain["input_shape"] = tuple(plain["input_shape"])
    return Case(**plain)
