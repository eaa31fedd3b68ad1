"""Vocabulary, schema and specification name the same types, attributes and tensors."""

import json
import re
from typing import Any

import pytest

from ckptkit import schema
from ckptkit.graph.shapes import SCHEMA
from ckptkit.layers import vocabulary
from ckptkit.model.recovered import ARCHITECTURE
from tests.layers import networks
from tests.layers.cases import CASES
from tests.spec import prose

DEFINITIONS: dict[str, Any] = schema.find(SCHEMA)["$defs"]
TEXT = (prose.SPEC / "architecture.md").read_text(encoding="utf-8")
ROWS = {
    match[1]: [cell.strip() for cell in match[2].split(" | ")]
    for match in re.finditer(r"^\| `(\w+)` \| (.*) \|$", TEXT.partition("## Vocabulary")[2], re.MULTILINE)
}


def rules(word: str, branches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what follows from a layer type in each branch that is for it."""
    kinds = [(branch["if"]["properties"]["type"], branch["then"]) for branch in branches]
    return [then for kind, then in kinds if word in (kind.get("const"), *kind.get("enum", ()))]


def attributes(word: str) -> dict[str, Any]:
    """Return the schema of a layer type's attributes, by their names."""
    (then,) = rules(word, DEFINITIONS["layer"]["allOf"])
    if "$ref" in then:
        (then,) = rules(word, DEFINITIONS[then["$ref"].rpartition("/")[2]]["allOf"])
    stated, needed = then["properties"]["attrs"], then.get("required", [])
    resolved = DEFINITIONS[stated["$ref"].rpartition("/")[2]] if "$ref" in stated else stated
    assert resolved["additionalProperties"] is False
    assert needed == (["attrs"] if resolved.get("required") else [])
    return {"required": resolved.get("required", []), "properties": resolved.get("properties", {})}


def test_every_word_is_in_the_schema_in_the_specification_and_has_a_case() -> None:
    words = set(vocabulary())
    assert len(words) >= 75
    assert DEFINITIONS["type"]["enum"] == sorted(words)
    assert set(ROWS) == words
    assert set(CASES) == words
    assert SCHEMA == ARCHITECTURE


@pytest.mark.parametrize("word", vocabulary())
def test_defaults_of_schema_and_code_are_the_same(word: str) -> None:
    found = attributes(word)
    stated = {name: part["default"] for name, part in found["properties"].items() if "default" in part}
    assert json.dumps(stated, sort_keys=True) == json.dumps(dict(vocabulary()[word].defaults), sort_keys=True)
    open_ones = set(found["properties"]) - set(found["required"]) - set(stated)
    assert open_ones <= {"value"}, "an attribute that is neither required nor has a default"


@pytest.mark.parametrize("word", vocabulary())
def test_the_specification_has_the_attributes_tensors_and_meaning(word: str) -> None:
    stated, shapes, tensors, meaning = ROWS[word]
    wanted = [
        f"`{name}`" + (f" = {json.dumps(part['default'])}" if "default" in part else "")
        for name, part in attributes(word)["properties"].items()
    ]
    assert stated == (", ".join(wanted) or "-")
    assert "→" in shapes
    assert meaning == vocabulary()[word].summary
    owned = set()
    for seed in range(12):
        attrs = networks.full(word, CASES[word](networks.seeded(word, seed)).attrs)
        owned |= {re.sub(r"_l\d$", "_lN", name) for name in vocabulary()[word].parameters(attrs)}
    assert set(re.findall(r"`([\w.]+)`", tensors)) == owned - {""}
    assert (tensors != "-") == bool(owned)


@pytest.mark.parametrize("word", vocabulary())
def test_each_required_attribute_is_missed(word: str) -> None:
    case = CASES[word](networks.seeded(word, 0))
    document = networks.graph(word, case).to_json()
    (layer,) = document["layers"]  # type: ignore[misc]
    whole = {"schema": SCHEMA, "graph": document}
    assert schema.validate(SCHEMA, whole, strict=True) == []
    for name in attributes(word)["required"]:
        kept = dict(layer["attrs"])
        layer["attrs"] = {key: value for key, value in kept.items() if key != name}
        assert [p.message for p in schema.validate(SCHEMA, whole)] == [f'lacks "{name}"']
        layer["attrs"] = kept
    layer["attrs"] = {**layer.get("attrs", {}), "colour": 1}
    (problem,) = schema.validate(SCHEMA, whole)
    assert (problem.pointer, problem.message) == ("/graph/layers/0/attrs/colour", "is not allowed here")
