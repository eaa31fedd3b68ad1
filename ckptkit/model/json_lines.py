"""Where in a JSON text a value stands, so that a finding can point at its line."""

import json
import re
from collections.abc import Collection, Iterator

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
"""Also one that never ends, so that broken text is gone through once."""
_TOKEN = re.compile(_STRING + rb'|[\[\]{},:]|[^\s\[\]{},:"]++', re.DOTALL)
_OPENING = (b"[", b"{")
_CLOSING = (b"]", b"}")


def lines(text: bytes, pointers: Collection[str]) -> dict[str, int]:
    """Return the line (from 1) of the value at each JSON pointer.

    Args:
        text: UTF-8 JSON; of broken text the part before the break is read.
        pointers: RFC 6901 pointers. One that leads nowhere (a key that is missing, say) has the line of
            the deepest value on its way.
    """
    wanted: dict[str, list[str]] = {}
    for pointer in pointers:
        for part in _prefixes(pointer):
            wanted.setdefault(part, []).append(pointer)
    found: dict[str, int] = {}
    line, counted = 1, 0
    deepest = max((pointer.count("/") for pointer in wanted), default=0)
    for pointer, start in _values(text, deepest):
        if pointer in wanted:
            line, counted = line + text.count(b"\n", counted, start), start
            found.update(dict.fromkeys(wanted[pointer], line))
    return found


def _prefixes(pointer: str) -> Iterator[str]:
    yield ""
    for at, character in enumerate(pointer):
        if character == "/" and at:
            yield pointer[:at]
    if pointer:
        yield pointer


def _values(text: bytes, deepest: int) -> Iterator[tuple[str, int]]:
    """Yield the pointer and the position of each value down to a depth; outer ones before those inside."""
    path: list[str | int] = []
    is_key = False
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in _CLOSING:
            del path[-1:]
            is_key = False
        elif token == b",":
            is_key = _next(path)
        elif is_key:
            path[-1], is_key = _key(token), False
        elif token != b":":
            if len(path) <= deepest:
                yield "".join(f"/{part}" for part in path), match.start()
            if token in _OPENING:
                path.append(0 if token == b"[" else "")
                is_key = token == b"{"


def _next(path: list[str | int]) -> bool:
    """Go on to the next value of the innermost array or object; return whether its key comes first."""
    last = path[-1] if path else 0
    if path and isinstance(last, int):
        path[-1] = last + 1
    return isinstance(last, str)


def _key(token: bytes) -> str:
    try:
        key = str(json.loads(token))
    except ValueError:
        key = token.decode("utf-8", "replace")
    return key.replace("~", "~0").replace("/", "~1")
