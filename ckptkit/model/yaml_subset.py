"""Settings in the plain part of YAML: nested mappings, lists of scalars, scalars, comments.

Anchors, tags, block scalars, flow mappings, lists of mappings and several documents are refused with their
line: a settings file that needs them is kept out rather than misread. Scalars mean what PyYAML 6
(`yaml/resolver.py`, YAML 1.1) makes of them; numbers whose meaning depends on the version of YAML, such
as `010` and `1:30`, are refused. Dates stay text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_DEPTH = 16
MAX_LINES = 10_000
MAX_COLUMNS = 2_000

_KEY = re.compile(r"""("[^"\\]*"|'[^']*'|[A-Za-z_][^:#'"\[\]{},&*!|>%@`]*+):(?:\s+(.*))?""")
_PLAIN = re.compile(r"""(?![-:?]+(\s|$))[A-Za-z0-9_./~+<=(:-][^\[\]{},#&*!|>'"%@`\t]*""")
"""Text without quotes that is a scalar and nothing else, also in a list."""
_AMBIGUOUS = re.compile(
    r"[-+]?(0[0-9_]+|0[box][0-9a-fA-F_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[0-9]+_[0-9_]*)"
)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
}


class YamlError(ValueError):
    """Text that is no settings file of the plain kind; the message has the line."""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    text: str

    def refuse(self, why: str) -> YamlError:
        return YamlError(f"line {self.number}: {why}")


def parse(text: str) -> dict[str, object]:
    """Return the settings that `text` holds; empty where it holds nothing but comments.

    Raises:
        YamlError: It uses more of YAML than this reads, or breaks its rules.
    """
    lines = list(_lines(text))
    if not lines:
        return {}
    value, end = _block(lines, 0, 0)
    if end < len(lines):
        raise lines[end].refuse("indented as no line before it")
    if not isinstance(value, dict):
        raise lines[0].refuse("a mapping is expected")
    return value


def _lines(text: str) -> Iterator[_Line]:
    rows = text.splitlines()
    if len(rows) > MAX_LINES:
        raise YamlError(f"more than {MAX_LINES} lines")
    for number, row in enumerate(rows, 1):
        if len(row) > MAX_COLUMNS:
            raise YamlError(f"line {number}: longer than {MAX_COLUMNS} characters")
        content = _without_comment(row).rstrip()
        if not content or (number == 1 and content == "---"):
            continue
        stripped = content.lstrip(" ")
        line = _Line(number, len(content) - len(stripped), stripped)
        if stripped.startswith(("\t", "---", "...")):
            raise line.refuse("a tab, or more than one document")
        yield line


def _without_comment(row: str) -> str:
    """Cut a row at the `#` that begins a comment: one at its start or behind a space, outside of quotes."""
    quote = ""
    for at, char in enumerate(row):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"" and row[:at].rstrip()[-1:] in ("", ":", "-", "[", ","):
            quote = char
        elif char == "#" and (at == 0 or row[at - 1] in " \t"):
            return row[:at]
    return row


def _block(lines: list[_Line], at: int, depth: int) -> tuple[object, int]:
    if depth > MAX_DEPTH:
        raise lines[at].refuse(f"nests deeper than {MAX_DEPTH}")
    if _is_item(lines[at]):
        return _sequence(lines, at)
    return _mapping(lines, at, depth)


def _is_item(line: _Line) -> bool:
    return line.text == "-" or line.text.startswith("- ")


def _sequence(lines: list[_Line], at: int) -> tuple[list[object], int]:
    indent, items = lines[at].indent, []
    while at < len(lines) and lines[at].indent == indent and _is_item(lines[at]):
        text = lines[at].text[1:].strip()
        if _KEY.fullmatch(text) and text[:1] not in "'\"":
            raise lines[at].refuse("a list of mappings")
        items.append(_value(text, lines[at]))
        at += 1
    return items, at


def _mapping(lines: list[_Line], at: int, depth: int) -> tuple[dict[str, object], int]:
    indent, made = lines[at].indent, dict[str, object]()
    while at < len(lines) and lines[at].indent == indent and not _is_item(lines[at]):
        line = lines[at]
        found = _KEY.fullmatch(line.text)
        if found is None:
            raise line.refuse("no `key: value`")
        key = found[1].strip().strip("'\"")
        if key in _WORDS and key == found[1]:
            raise line.refuse(f"{key!r} is no text in YAML")
        if key in made:
            raise line.refuse(f"{key!r} a second time")
        at += 1
        if (found[2] or "").strip():
            made[key] = _value(found[2].strip(), line)
        elif at < len(lines) and (
            lines[at].indent > indent or (lines[at].indent == indent and _is_item(lines[at]))
        ):
            made[key], at = _block(lines, at, depth + 1)
        else:
            made[key] = None
    return made, at


def _value(text: str, line: _Line) -> object:
    if text in ("[]", "{}"):
        return [] if text == "[]" else {}
    if text[:1] in ("'", '"'):
        return _quoted(text, line)
    if text.startswith("["):
        if not text.endswith("]"):
            raise line.refuse("a list that is not closed")
        return [_scalar(part.strip(), line) for part in text[1:-1].split(",")]
    return _scalar(text, line)


def _quoted(text: str, line: _Line) -> str:
    inside = text[1:-1]
    if len(text) < 2 or text[-1] != text[0] or text[0] in inside or (text[0] == '"' and "\\" in inside):
        raise line.refuse("a quoted text with escapes, or that is not closed")
    return inside


def _scalar(text: str, line: _Line) -> object:
    if not _PLAIN.fullmatch(text):
        raise line.refuse("more of YAML than plain settings")
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if _AMBIGUOUS.fullmatch(text):
        raise line.refuse(f"{text} is read differently by versions of YAML")
    if ": " in text or text.endswith(":"):
        raise line.refuse("a mapping inside of a value")
    return text
