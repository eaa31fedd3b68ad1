"""Judge large documents with jsonschema-rs, where the extra `fast` is installed.

It has the last word on nothing: what it does not call valid goes on to the other validators
(`docs/adr/0010-schema-speed.md`).
"""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

from ckptkit.schema import catalogue
from ckptkit.schema.quick import Test

LARGE = 10_000
"""Values above which a document is worth the time that importing and compiling take: about 1,000 tensors."""


@cache
def is_installed() -> bool:
    """Whether there is a jsonschema-rs to ask."""
    return find_spec("jsonschema_rs") is not None


def suits(document: object, least: int = LARGE) -> bool:
    """Whether a document has many values, and no whole float among them.

    The library takes 1.0 for an integer, as JSON Schema does; the specification wants digits alone.
    """
    stack, count = [document], 0
    while stack:
        value = stack.pop()
        count += 1
        if isinstance(value, float) and value.is_integer():
            return False
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return count >= least


def document(name: str, schemas: Mapping[str, Mapping[str, Any]]) -> Test:
    """Return the test for a schema; only its yes is to be relied on.

    Args:
        name: Entity and version, such as `manifest-2.0`.
        schemas: Every schema of the catalogue, by such names.
    """
    import jsonschema_rs

    made = {each: {**schema, "$id": catalogue.identifier(each)} for each, schema in schemas.items()}
    registry = jsonschema_rs.Registry([(catalogue.identifier(each), schema) for each, schema in made.items()])
    validator = jsonschema_rs.Draft202012Validator(made[name], registry=registry)

    def test(value: Any) -> bool:
        try:
            return bool(validator.is_valid(value))
        except (TypeError, ValueError, RecursionError):
            return False  # what no JSON text holds

    return test
