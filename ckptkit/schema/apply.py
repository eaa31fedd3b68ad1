"""Apply a schema to parsed JSON: every problem, with its place and in words."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ckptkit.schema import catalogue, fast
from ckptkit.schema.pattern import compiled
from ckptkit.schema.quick import Compiler, Test
from ckptkit.schema.strict import CLOSED
from ckptkit.schema.strict import strict as closed

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.protocols import Validator

UNKNOWN = "unknown-field"
INVALID = "invalid"
Keyword = Callable[["Validator", Any, Any, Any], "Iterator[ValidationError]"]
SHOWN = 60
"""Most characters of an offending value that a message shows."""
MOST_PROBLEMS = 5000
"""Problems after which a document is not gone through further."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where a document breaks a schema.

    Attributes:
        pointer: JSON pointer (RFC 6901) of the place; empty for the whole document.
        message: What is wrong there, such as `must be an integer, is "12"`.
        kind: `unknown-field` for a member that only the strict form refuses, else `invalid`.
    """

    pointer: str
    message: str
    kind: str = INVALID


def validate(name: str, document: object, *, strict: bool = False) -> list[Problem]:
    """Return every problem of `document` under a schema, in document order; of very many the first.

    Args:
        name: Entity and version, such as `manifest-2.0`.
        document: Parsed JSON; mappings and lists of the standard types.
        strict: Refuse members that the schema does not name, other than `x-*`.

    Raises:
        KeyError: There is no such schema.
    """
    if _is_valid(name, strict, document):
        return []
    return _problems(_validator(name, strict, guided=True), document)


def validate_part(name: str, part: str, value: object) -> list[Problem]:
    """Return every problem of `value` under a part of a schema.

    Args:
        name: Entity and version of the schema that holds the part.
        part: JSON pointer of the part, such as `/$defs/tensor`; empty for the whole.
        value: Parsed JSON.

    Raises:
        KeyError: There is no such schema.
    """
    validator = _validator(name, strict=False)
    inner = validator.evolve(schema={"$ref": f"{catalogue.identifier(name)}#{part}"})
    return _problems(inner, value)


def unknown_fields(name: str, document: object) -> list[Problem]:
    """Return the members of `document` that the schema does not name, other than `x-*`."""
    return [problem for problem in validate(name, document, strict=True) if problem.kind == UNKNOWN]


def _problems(validator: "Validator", document: Any) -> list[Problem]:
    try:
        said = (problem for error in validator.iter_errors(document) for problem in _say(error))
        problems = list(islice(said, MOST_PROBLEMS))
    except RecursionError:
        return [Problem("", "is nested too deeply to be checked")]
    return sorted(dict.fromkeys(problems), key=lambda problem: (_order(problem.pointer), problem.message))


def _is_valid(name: str, strict: bool, document: object) -> bool:
    try:
        if fast.is_installed() and fast.suits(document) and _fast(name, strict)(document):
            return True
        return _quick(name, strict)(document)
    except RecursionError:
        return False


@cache
def _fast(name: str, strict: bool) -> Test:
    return fast.document(name, _schemas(strict))


@cache
def _quick(name: str, strict: bool) -> Test:
    if name not in catalogue.names():
        raise KeyError(f"no schema {name!r}; there are {', '.join(catalogue.names())}")
    return _compiler(strict).document(f"{name}{catalogue.SUFFIX}")


@cache
def _compiler(strict: bool) -> Compiler:
    return Compiler({f"{each}{catalogue.SUFFIX}": schema for each, schema in _schemas(strict).items()})


@cache
def _schemas(strict: bool) -> dict[str, dict[str, Any]]:
    found = {each: catalogue.find(each) for each in catalogue.names()}
    return {each: closed(schema) if strict else schema for each, schema in found.items()}


@cache
def _validator(name: str, strict: bool, *, guided: bool = False) -> "Draft202012Validator":
    """Return the validator that says what is wrong.

    Args:
        name: Entity and version of the schema.
        strict: Refuse members that the schema does not name.
        guided: Look for problems only below references that the quick validator says no to.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    # With `$schema`, the library would leave the type checker below at each reference. References by the
    # name of the file as well as the place in it let `_guide` know what they mean.
    made = {
        each: _placed({key: part for key, part in schema.items() if key != "$schema"}, each)
        for each, schema in _schemas(strict).items()
    }
    registry: Registry[Any] = Registry().with_resources(
        (catalogue.identifier(each), DRAFT202012.create_resource(schema)) for each, schema in made.items()
    )
    # JSON Schema calls 1.0 an integer; the specification wants digits alone.
    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    keywords = {"pattern": _pattern} | ({"$ref": _guide(_compiler(strict))} if guided else {})
    validator: Any = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, validators=keywords, type_checker=checker
    )
    applied: Draft202012Validator = validator(made[name], registry=registry)
    return applied


def _guide(compiler: Compiler) -> Keyword:
    """Return a `$ref` that is followed only where the quick validator says that it leads to problems."""
    from jsonschema import Draft202012Validator

    follow = Draft202012Validator.VALIDATORS["$ref"]

    def reference(
        within: "Validator", ref: str, instance: object, schema: Mapping[str, object]
    ) -> "Iterator[ValidationError]":
        if not compiler.document(ref)(instance):
            yield from follow(within, ref, instance, schema)

    return reference


def _placed(schema: Any, name: str) -> Any:
    """Return a schema whose references within itself name its file."""
    if isinstance(schema, list):
        return [_placed(part, name) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _placed(part, name) for key, part in schema.items()}
    ref = made.get("$ref")
    if isinstance(ref, str) and ref.startswith("#"):
        made["$ref"] = f"{name}{catalogue.SUFFIX}{ref}"
    return made


def _pattern(
    _: "Validator", text: str, instance: object, __: Mapping[str, object]
) -> "Iterator[ValidationError]":
    from jsonschema import ValidationError

    if isinstance(instance, str) and not compiled(text).search(instance):
        yield ValidationError(f"does not match {text}")


def _say(error: "ValidationError") -> Iterator[Problem]:
    """Turn one error of the library into problems; it reports all unknown members as one."""
    place = pointer(list(error.absolute_path))
    instance: Any = error.instance
    value: Any = error.validator_value
    if error.validator == "additionalProperties" and value is False:
        yield from _unexpected(place, instance, error.schema)
    elif error.validator == "required":
        # The library yields one error a member; naming all in each keeps them one problem.
        yield Problem(place, f"lacks {', '.join(json.dumps(key) for key in value if key not in instance)}")
    elif error.validator == "dependentRequired":
        yield from (Problem(place, text) for text in _dependent(instance, value))
    else:
        yield Problem(place, _words(str(error.validator), value, instance, error.schema))


def _unexpected(place: str, instance: Mapping[str, object], schema: Any) -> Iterator[Problem]:
    patterns = schema.get("patternProperties", {})
    kind, text = (UNKNOWN, "unknown field") if CLOSED in schema else (INVALID, "is not allowed here")
    for key in instance:
        if key not in schema.get("properties", {}) and not any(
            compiled(each).search(key) for each in patterns
        ):
            yield Problem(f"{place}/{_escape(key)}", text, kind)


def _dependent(instance: Mapping[str, object], rule: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for key, needed in rule.items():
        for other in needed:
            if key in instance and other not in instance:
                yield f"has {json.dumps(key)} and lacks {json.dumps(other)}"


_TYPES = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


_UNITS = {"Items": "items", "Length": "characters", "Properties": "members"}


def _words(rule: str, value: Any, instance: object, schema: Any) -> str:
    found = shorten(instance)
    named = schema.get("description") if isinstance(schema, dict) else None
    match rule:
        case "type":
            kinds = [value] if isinstance(value, str) else value
            return f"must be {' or '.join(_TYPES[kind] for kind in kinds)}, is {found}"
        case "pattern" | "enum" | "const" | "not" if named:
            return f"must be {named}, is {found}"
        case "enum":
            return f"must be one of {', '.join(json.dumps(item) for item in value)}, is {found}"
        case "const":
            return f"must be {shorten(value)}, is {found}"
        case "minimum" | "maximum":
            return f"must be at {'least' if rule == 'minimum' else 'most'} {value}, is {found}"
        case "uniqueItems":
            return f"must not repeat an item, is {found}"
        case "minItems" | "maxItems" | "minLength" | "maxLength" | "maxProperties" | "minProperties":
            bound = "least" if rule.startswith("min") else "most"
            return f"must have at {bound} {value} {_UNITS[rule[3:]]}, is {found}"
        case _:
            return f"breaks {rule}, is {found}"


def shorten(value: object) -> str:
    """Return `value` as JSON of at most `SHOWN` characters; containers by their size alone."""
    if isinstance(value, dict):
        return f"an object of {len(value)} member{'s' * (len(value) != 1)}"
    if isinstance(value, list):
        return f"an array of {len(value)} item{'s' * (len(value) != 1)}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def pointer(path: Sequence[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path of keys and indices."""
    return "".join(f"/{_escape(str(part))}" for part in path)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _order(text: str) -> list[tuple[int, int, str]]:
    """Sort numbers in a pointer as numbers."""
    parts = text.split("/")
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]
