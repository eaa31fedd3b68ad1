"""Python expressions of literals and keyword calls, parsed without Python's compiler.

Configuration objects print themselves as `module.Class(name='x', sizes=[1, 2])`. The grammar is
that of `repr`: None, True, False, numbers, strings, bytes, lists, tuples, dicts, and calls of a
dotted name with keyword arguments. Nothing is looked up and nothing is called.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

MAX_DEPTH = 64
MAX_CHARACTERS = 1 << 20

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.])
    |(?P<string>'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+")
    |(?P<name>-?[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    |(?P<mark>[\[\](){},:=])
    |(?P<end>\Z))""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_WORDS: dict[str, object] = {
    "None": None,
    "True": True,
    "False": False,
    "inf": float("inf"),
    "-inf": float("-inf"),
    "nan": float("nan"),
}
_MAX_DIGITS = 400


class LiteralError(ValueError):
    """The text is not an expression of this grammar."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that stands in the text.

    Attributes:
        name: Dotted name of what is called.
        arguments: Keyword arguments, in order.
    """

    name: str
    arguments: dict[str, object]


def parse(text: str) -> object:
    """Return the value of the one expression that `text` is.

    Raises:
        LiteralError: It is none; the message says at which character.
    """
    if len(text) > MAX_CHARACTERS:
        raise LiteralError(f"longer than {MAX_CHARACTERS} characters")
    parser = _Parser(text)
    value = parser.value(0)
    if parser.kind != "end":
        parser.fail("text behind the expression")
    return value


class _Parser:
    """Recursive descent with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = self._at = 0
        self.kind, self.token = "", ""
        self._advance()

    def fail(self, what: str) -> NoReturn:
        raise LiteralError(f"character {self._at}: {what}")

    def _advance(self) -> str:
        token = self.token
        match = _TOKEN.match(self._text, self._next)
        self._at = self._next
        if match is None:
            self.fail("not a literal")
        self._next = match.end()
        self.kind = match.lastgroup or ""
        self.token = match[self.kind]
        return token

    def _take(self, mark: str) -> bool:
        """Step over `mark` where it is next."""
        if self.kind == "mark" and self.token == mark:
            self._advance()
            return True
        return False

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            self.fail(f"{mark} is missing")

    def value(self, depth: int) -> object:
        if depth > MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} deep")
        match self.kind:
            case "number":
                return self._number()
            case "string":
                return self._string()
            case "name":
                return self._word(depth)
        if self._take("["):
            return self._items("]", depth)[0]
        if self._take("("):
            items, comma = self._items(")", depth)
            return items[0] if len(items) == 1 and not comma else tuple(items)
        if self._take("{"):
            return self._dict(depth)
        return self.fail("a value is missing")

    def _number(self) -> int | float:
        token = self._advance()
        if len(token) > _MAX_DIGITS:
            self.fail("number of too many digits")
        return int(token) if token.lstrip("-").isdigit() else float(token)

    def _string(self) -> str:
        return _ESCAPE.sub(self._unescape, self._advance()[1:-1])

    def _unescape(self, match: re.Match[str]) -> str:
        code = match[1]
        point = int(code[1:], 16) if len(code) > 1 else 0xD800
        if point <= 0x10FFFF and not 0xD800 <= point < 0xE000:
            return chr(point)
        if code not in _ESCAPES:
            self.fail(f"unknown escape \\{code}")
        return _ESCAPES[code]

    def _word(self, depth: int) -> object:
        word = self._advance()
        if word in _WORDS:
            return _WORDS[word]
        if word.startswith("-") or not self._take("("):
            self.fail(f"{word} is a name and no value")
        arguments: dict[str, object] = {}
        while not self._take(")"):
            if self.kind != "name" or not self.token.isidentifier() or self.token in arguments:
                self.fail("a new keyword argument is expected")
            key = self._advance()
            self._need("=")
            arguments[key] = self.value(depth + 1)
            if not self._take(","):
                self._need(")")
                break
        return Call(word, arguments)

    def _items(self, close: str, depth: int) -> tuple[list[object], bool]:
        """Return the items up to `close`, and whether a comma stands behind the last."""
        items: list[object] = []
        comma = False
        while not self._take(close):
            items.append(self.value(depth + 1))
            comma = self._take(",")
            if not comma:
                self._need(close)
                break
        return items, comma

    def _dict(self, depth: int) -> dict[object, object]:
        pairs: dict[object, object] = {}
        while not self._take("}"):
            key = self.value(depth + 1)
            if not isinstance(key, str | int | float | bool | None) or key in pairs:
                self.fail("a new plain key is expected")
            self._need(":")
            pairs[key] = self.value(depth + 1)
            if not self._take(","):
                self._need("}")
                break
        return pairs
