"""Say yes to a valid document quickly; whatever is not valid goes to the slow, explaining validator.

A schema is compiled into closures, one a keyword. Only the keywords that `schemas/` uses are known;
any other is an error when the schema is compiled, never a keyword that is passed over.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ckptkit.schema.pattern import compiled

Test = Callable[[Any], bool]
Schema = Mapping[str, Any] | bool

_ANNOTATIONS = frozenset(
    ["$schema", "$id", "$defs", "$comment", "title", "description", "default", "contentEncoding", "x-closed"]
)
_TYPES: dict[str, Test] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_APPLIES = {
    "Items": lambda value: isinstance(value, list),
    "Length": lambda value: isinstance(value, str),
    "Properties": lambda value: isinstance(value, dict),
    "imum": _TYPES["number"],
}


class Compiler:
    """Compiles the schemas of one catalogue, which refer to each other."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        """Take schemas by the file name that references use, such as `tree-1.0.schema.json`."""
        self._schemas = schemas
        self._made: dict[str, Test] = {}

    def document(self, name: str) -> Test:
        """Return the test for a schema, or with `#` and a JSON pointer behind the name for a part of it.

        Raises:
            KeyError: There is none of that name, or it uses a keyword that is not known here.
        """
        return self._reference(name, "")

    def _reference(self, ref: str, base: str) -> Test:
        file, _, pointer = ref.partition("#")
        key = f"{file or base}#{pointer}"

        def later(value: Any) -> bool:
            return self._made[key](value)

        if key not in self._made:
            # A recursive schema reaches itself through this entry, which is replaced below.
            self._made[key] = later
            target: Any = self._schemas[file or base]
            for part in pointer.split("/")[1:]:
                target = target[part]
            self._made[key] = self._schema(target, file or base)
        return later

    def _schema(self, schema: Schema, base: str) -> Test:
        if isinstance(schema, bool):
            return lambda _: schema
        tests = [
            self._keyword(word, schema, base)
            for word in schema
            if word not in _ANNOTATIONS and word not in ("then", "else")
        ]
        return _every(tests)

    def _keyword(self, word: str, schema: Mapping[str, Any], base: str) -> Test:
        value = schema[word]
        if word in _LEAVES:
            return _LEAVES[word](value)
        if word[:3] in ("min", "max"):
            return _bound(word, value)
        return getattr(self, _METHODS[word])(value, schema, base)  # type: ignore[no-any-return]

    def _ref(self, value: str, _: Mapping[str, Any], base: str) -> Test:
        return self._reference(value, base)

    def _all(self, value: list[Schema], _: Mapping[str, Any], base: str) -> Test:
        return _every([self._schema(each, base) for each in value])

    def _not(self, value: Schema, _: Mapping[str, Any], base: str) -> Test:
        test = self._schema(value, base)
        return lambda found: not test(found)

    def _if(self, value: Schema, schema: Mapping[str, Any], base: str) -> Test:
        test = self._schema(value, base)
        yes, no = (self._schema(schema.get(word, True), base) for word in ("then", "else"))
        return lambda found: yes(found) if test(found) else no(found)

    def _items(self, value: Schema, _: Mapping[str, Any], base: str) -> Test:
        test = self._schema(value, base)
        return lambda found: not isinstance(found, list) or all(map(test, found))

    def _names(self, value: Schema, _: Mapping[str, Any], base: str) -> Test:
        test = self._schema(value, base)
        return lambda found: not isinstance(found, dict) or all(map(test, found))

    def _properties(self, value: Mapping[str, Schema], _: Mapping[str, Any], base: str) -> Test:
        tests = [(key, self._schema(each, base)) for key, each in value.items()]
        return lambda found: (
            not isinstance(found, dict) or all(key not in found or test(found[key]) for key, test in tests)
        )

    def _patterns(self, value: Mapping[str, Schema], _: Mapping[str, Any], base: str) -> Test:
        tests = [(compiled(text), self._schema(each, base)) for text, each in value.items()]
        return lambda found: (
            not isinstance(found, dict)
            or all(test(item) for key, item in found.items() for each, test in tests if each.search(key))
        )

    def _additional(self, value: Schema, schema: Mapping[str, Any], base: str) -> Test:
        test = self._schema(value, base)
        known = frozenset(schema.get("properties", {}))
        patterns = [compiled(text) for text in schema.get("patternProperties", {})]
        return lambda found: (
            not isinstance(found, dict)
            or all(
                test(item)
                for key, item in found.items()
                if key not in known and not any(each.search(key) for each in patterns)
            )
        )


def _every(tests: list[Test]) -> Test:
    """Return the test that all of `tests` hold; a document has many small values, and each meets a few."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda value: first(value) and second(value)

    def every(value: Any) -> bool:
        for test in tests:  # noqa: SIM110 - `all` would make a generator for each value
            if not test(value):
                return False
        return True

    return every


_METHODS = {
    "$ref": "_ref",
    "allOf": "_all",
    "not": "_not",
    "if": "_if",
    "items": "_items",
    "propertyNames": "_names",
    "properties": "_properties",
    "patternProperties": "_patterns",
    "additionalProperties": "_additional",
}


def _type(value: str | list[str]) -> Test:
    tests = [_TYPES[kind] for kind in ([value] if isinstance(value, str) else value)]
    return tests[0] if len(tests) == 1 else lambda found: any(test(found) for test in tests)


def _enum(value: list[str]) -> Test:
    if not all(isinstance(item, str) for item in value):
        raise KeyError("an enumeration of anything but strings")
    allowed = frozenset(value)
    return lambda found: isinstance(found, str) and found in allowed


def _pattern(value: str) -> Test:
    search = compiled(value).search
    return lambda found: not isinstance(found, str) or search(found) is not None


def _required(value: list[str]) -> Test:
    return lambda found: not isinstance(found, dict) or all(key in found for key in value)


def _dependent(value: Mapping[str, list[str]]) -> Test:
    return lambda found: (
        not isinstance(found, dict)
        or all(key not in found or all(other in found for other in needed) for key, needed in value.items())
    )


def _unique(_: bool) -> Test:
    """Compare by representation; what that cannot tell apart goes to the slow validator."""
    return lambda found: not isinstance(found, list) or len({repr(item) for item in found}) == len(found)


def _bound(word: str, value: int) -> Test:
    applies = _APPLIES[word[3:]]
    measure: Callable[[Any], Any] = (lambda found: found) if word[3:] == "imum" else len
    if word[:3] == "min":
        return lambda found: not applies(found) or measure(found) >= value
    return lambda found: not applies(found) or measure(found) <= value


_LEAVES: dict[str, Callable[[Any], Test]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda value: _enum([value]),
    "pattern": _pattern,
    "required": _required,
    "dependentRequired": _dependent,
    "uniqueItems": _unique,
}
