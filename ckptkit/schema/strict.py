"""Derive the strict form of a schema: what the open form tolerates is closed, but for `x-*`."""

from typing import Any

CLOSED = "x-closed"
"""Annotation on an object schema that the open form leaves open."""

_HOLDS_SCHEMAS = ("properties", "$defs", "patternProperties", "dependentSchemas")
_LISTS_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
# `if` is not among them: it asks a question, and closed it would be answered no.
_IS_SCHEMA = ("items", "additionalProperties", "not", "then", "else", "contains", "propertyNames")


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` with every object in it closed.

    An object schema is closed where it states both `type` and `properties` and says nothing
    of additional members; then only `x-*` may stand beside those it names.
    """
    made = {key: _inner(key, value) for key, value in schema.items()}
    open_by_default = "type" in schema and "properties" in schema and "additionalProperties" not in schema
    if open_by_default:
        made["patternProperties"] = {"^x-": True, **made.get("patternProperties", {})}
        made["additionalProperties"] = False
        made[CLOSED] = True
    return made


def _inner(key: str, value: Any) -> Any:
    if key in _HOLDS_SCHEMAS:
        return {name: _closed(item) for name, item in value.items()}
    if key in _LISTS_SCHEMAS:
        return [_closed(item) for item in value]
    return _closed(value) if key in _IS_SCHEMA else value


def _closed(value: Any) -> Any:
    return strict(value) if isinstance(value, dict) else value
