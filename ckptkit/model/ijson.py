"""Strict JSON: what RFC 7493 (I-JSON) allows, refused with every problem and its place.

Three functions: `examine` returns the value and all problems, `problems` the problems alone, and
`parse` the value or one error that carries them. Checks report problems as findings; readers of
other files call `parse`. Broken syntax is one problem, because nothing behind it has a meaning.

Refused: bytes that are not UTF-8, a byte order mark, a duplicate key, NaN and Infinity literals,
numbers that no float64 holds, integers outside ±(2^53 - 1), lone surrogates, data behind the value,
and anything over the bounds. With `legacy` set, NaN and Infinity literals and larger integers are
taken as Python's `json` writes them; everything else stays refused.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError

MAX_BYTES = 64 << 20
MAX_DEPTH = 100
"""Nesting of arrays and objects; a bound above 200 could exhaust the interpreter's stack."""
MAX_VALUES = 4_000_000
"""Commas and opening brackets; each stands before a value."""
MAX_PARTS = 450_000
"""Parts of a text (`parts`); each stands for up to 60 bytes of memory."""
MAX_WIDE_BYTES = 8 << 20
"""Length of text with characters beyond U+FFFF, for which every character takes four bytes of memory."""
MAX_PROBLEMS = 50
MAX_DIGITS = 4000
SAFE_INTEGER = 2**53 - 1

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_STRUCTURE = re.compile(_STRING + r"|[\[\]{}]", re.DOTALL)
_TOKEN = re.compile(_STRING + r'|[\[\]{},:]|[^\s\[\]{},:"]++', re.DOTALL)
_WIDE = re.compile(rb"[\xf0-\xff]|\\u[dD][89abAB]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_CONSTANTS = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True, slots=True)
class Examined:
    """The outcome of `examine`.

    Attributes:
        value: The data, with the last of duplicate keys; None where it could not be parsed.
        problems: Each as `line L, column C: what is wrong`, in the order of the text.
        over_limit: Whether a bound, and not the syntax, is what was broken.
    """

    value: object
    problems: tuple[str, ...] = ()
    over_limit: bool = False


def parse(  # noqa: PLR0913 - most are bounds
    data: bytes,
    *,
    where: str = "",
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_values: int = MAX_VALUES,
    max_parts: int = MAX_PARTS,
    legacy: bool = False,
) -> object:
    """Return the value of `data`.

    Args:
        data: UTF-8 text.
        where: File or member, for the error.
        max_bytes: Bound on the length of `data`.
        max_depth: Bound on nesting, at most 200.
        max_values: Bound on commas and opening brackets.
        max_parts: Bound on `parts`.
        legacy: Take what Python's `json` writes beyond JSON.

    Raises:
        LimitExceededError: A bound is exceeded.
        UnreadableCheckpointError: Anything else; the message carries all problems.
    """
    examined = examine(
        data,
        max_bytes=max_bytes,
        max_depth=max_depth,
        max_values=max_values,
        max_parts=max_parts,
        legacy=legacy,
    )
    if examined.over_limit:
        raise LimitExceededError("; ".join(examined.problems), where=where)
    if examined.problems:
        raise UnreadableCheckpointError(f"not I-JSON: {'; '.join(examined.problems)}", where=where)
    return examined.value


def problems(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, legacy: bool = False
) -> tuple[str, ...]:
    """Return what keeps `data` from being I-JSON, in the order of the text; see `examine`."""
    return examine(data, max_bytes=max_bytes, max_depth=max_depth, legacy=legacy).problems


def examine(
    data: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_values: int = MAX_VALUES,
    max_parts: int = MAX_PARTS,
    legacy: bool = False,
) -> Examined:
    """Parse `data` and find all that is wrong with it, at most `MAX_PROBLEMS`; raises nothing."""
    if over := _over(data, max_bytes, max_values, max_parts):
        return Examined(None, (over,), over_limit=True)
    if data.startswith(b"\xef\xbb\xbf"):
        return Examined(None, ("line 1, column 1: starts with a byte order mark",))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return Examined(None, (f"byte {error.start}: not UTF-8: {error.reason}",))
    deep = _first_too_deep(text, max_depth)
    if deep is not None:
        problem = f"{_place(text, deep)}: nested more than {max_depth} deep"
        return Examined(None, (problem,), over_limit=True)
    return _examine_text(text, legacy)


def parts(data: bytes) -> int:
    """Return for how much a text stands: a comma, an opening bracket, a string for one, a colon for three."""
    marks = sum(map(data.count, (b",", b"[", b"{")))
    return marks + 3 * data.count(b":") + data.count(b'"') // 2


def _over(data: bytes, max_bytes: int, max_values: int, max_parts: int) -> str:
    """Return which bound on memory the text is over; empty where it is over none."""
    if len(data) > max_bytes:
        return f"{len(data)} bytes of JSON, at most {max_bytes} are read"
    values = sum(map(data.count, (b",", b"[", b"{")))
    if values > max_values:
        return f"{values} values of JSON, at most {max_values} are read"
    # No text has more parts than three for each of its bytes.
    if 3 * len(data) > max_parts and (count := parts(data)) > max_parts:
        return f"{count} parts of JSON, at most {max_parts} are read"
    if len(data) > MAX_WIDE_BYTES and _WIDE.search(data):
        return f"{len(data)} bytes of JSON with characters beyond U+FFFF, at most {MAX_WIDE_BYTES} are read"
    return ""


def _first_too_deep(text: str, max_depth: int) -> int | None:
    """Return the position of the first bracket beyond `max_depth`, without recursion."""
    depth = 0
    if text.count("[") + text.count("{") <= max_depth:
        return None
    for match in _STRUCTURE.finditer(text):
        mark = text[match.start()]
        if mark in "[{":
            depth += 1
            if depth > max_depth:
                return match.start()
        elif mark in "]}":
            depth -= 1
    return None


def _examine_text(text: str, legacy: bool) -> Examined:
    """Parse with the standard library; walk the text again only where something is amiss."""
    amiss = _SURROGATE.search(text) is not None

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal amiss
        made = dict(items)
        amiss = amiss or len(made) != len(items)
        return made

    def integer(digits: str) -> int:
        nonlocal amiss
        value = int(digits[:MAX_DIGITS])
        amiss = amiss or len(digits) > MAX_DIGITS or (abs(value) > SAFE_INTEGER and not legacy)
        return value

    def number(digits: str) -> float:
        nonlocal amiss
        value = float(digits)
        amiss = amiss or value in (float("inf"), float("-inf"))
        return value

    def constant(word: str) -> float:
        nonlocal amiss
        amiss = amiss or not legacy
        return float(word)

    try:
        value = json.loads(
            text, object_pairs_hook=pairs, parse_int=integer, parse_float=number, parse_constant=constant
        )
    except json.JSONDecodeError as error:
        return Examined(None, (f"{_place(text, error.pos)}: {error.msg}",))
    if not amiss:
        return Examined(value)
    return Examined(value, tuple(_Walk(text, legacy).problems()))


@dataclass(slots=True)
class _Level:
    """An open array or object during the walk."""

    keys: set[str] | None
    part: str = ""
    index: int = 0


@dataclass(slots=True)
class _Walk:
    """Goes through the tokens of well-formed JSON and says where each problem is."""

    text: str
    legacy: bool
    levels: list[_Level] = field(default_factory=list)
    expects_key: bool = False

    def problems(self) -> Iterator[str]:
        found = 0
        for match in _TOKEN.finditer(self.text):
            problem = self._token(match.group())
            if problem:
                found += 1
                if found > MAX_PROBLEMS:
                    yield "and more"
                    return
                yield f"{_place(self.text, match.start())}: {problem}"

    def _token(self, word: str) -> str:
        match word[0]:
            case "{" | "[":
                self.levels.append(_Level(set() if word == "{" else None))
                self.expects_key = word == "{"
            case "}" | "]":
                self.levels.pop()
                self.expects_key = False
            case ",":
                self._next()
            case ":":
                self.expects_key = False
            case '"':
                return self._string(word)
            case _:
                return self._scalar(word)
        return ""

    def _next(self) -> None:
        level = self.levels[-1]
        level.index += 1
        self.expects_key = level.keys is not None

    def _string(self, token: str) -> str:
        value = json.loads(token)
        keys = self.levels[-1].keys if self.levels and self.expects_key else None
        holder = self._pointer(len(self.levels) - (keys is not None))
        repeated = keys is not None and value in keys
        if keys is not None:
            keys.add(value)
            self.levels[-1].part = value
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"lone surrogate in a {'string' if keys is None else 'key'} at {holder}"
        return f"duplicate key {_short(value)} in {holder}" if repeated else ""

    def _scalar(self, token: str) -> str:
        if token in _CONSTANTS:
            return "" if self.legacy else f"{token} is not JSON, at {self._pointer()}"
        if not token.lstrip("-")[:1].isdigit():
            return ""
        if not re.fullmatch(r"-?[0-9]+", token):
            over = float(token) in (float("inf"), float("-inf"))
            return f"number {_short(token)} is beyond float64, at {self._pointer()}" if over else ""
        if len(token) > MAX_DIGITS:
            return f"integer of {len(token)} digits, at {self._pointer()}"
        if self.legacy or abs(int(token)) <= SAFE_INTEGER:
            return ""
        shown = token if len(token) < 40 else f"of {len(token)} digits"
        return f"integer {shown} is outside ±(2^53 - 1), at {self._pointer()}"

    def _pointer(self, depth: int | None = None) -> str:
        parts = (
            str(level.index) if level.keys is None else level.part.replace("~", "~0").replace("/", "~1")
            for level in self.levels[:depth]
        )
        return "".join(f"/{part}" for part in parts) or "the top level"


def _place(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"line {line}, column {at - text.rfind(chr(10), 0, at)}"


def _short(value: str) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else f'{shown[:56]}…"'
