"""Symbols that stand for the values of a function, and the plain tree that they are written as."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_NODES = 4_000
"""Nodes of one expression with everything that it shares written out."""
MAX_DEPTH = 40
"""Expressions inside expressions."""
MAX_ITEMS = 1_000
"""Elements of a list or a range."""
MAX_TEXT = 200
WORD = 64
"""Bits of an integer that is kept."""


class UnreadError(Exception):
    """Something is not understood for certain; the message says what. It never leaves this package."""


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """A value as an expression.

    Attributes:
        kind: `const`, `global`, `self`, `param`, `attr`, `call`, `op`, `item`, `tuple`, `list`, `super`,
            `class`, `null` or `opaque`.
        value: Constant, dotted name, parameter, attribute or operator.
        parts: Operands; of a call the callee, then its arguments.
        names: Keywords of a call's last arguments.
        size: Nodes.
        depth: Levels.
    """

    kind: str
    value: object = None
    parts: tuple["Symbol", ...] = ()
    names: tuple[str, ...] = ()
    size: int = 1
    depth: int = 1


@dataclass(slots=True, eq=False)
class Listed:
    """A list while the function may still change it."""

    items: list["Value"]


@dataclass(slots=True, eq=False)
class Method:
    """A method of a list."""

    of: Listed
    name: str


@dataclass(slots=True, eq=False)
class Rounds:
    """What a loop goes through."""

    items: list["Value"]
    next: int = 0


Value = Symbol | Listed | Method | Rounds
NULL, OPAQUE = Symbol("null"), Symbol("opaque")


def const(value: object) -> Symbol:
    """Return the symbol of a constant; opaque where it is no plain data of bounded size."""
    if isinstance(value, tuple | list):
        if len(value) > MAX_ITEMS:
            return OPAQUE
        return made("tuple", None, [const(item) for item in value])
    if isinstance(value, int) and value.bit_length() >= WORD:
        return OPAQUE
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return OPAQUE
    return Symbol("const", value) if value is None or isinstance(value, bool | int | float | str) else OPAQUE


def made(kind: str, value: object, parts: Sequence[Value], names: tuple[str, ...] = ()) -> Symbol:
    """Return an expression of parts, lists as they are at this moment.

    Raises:
        UnreadError: It grows beyond bounds.
    """
    frozen = tuple(snapshot(part) for part in parts)
    size = 1 + sum(part.size for part in frozen)
    depth = 1 + max((part.depth for part in frozen), default=0)
    if size > MAX_NODES or depth > MAX_DEPTH:
        raise UnreadError("an expression is too large")
    return Symbol(kind, value, frozen, names, size, depth)


def snapshot(value: Value) -> Symbol:
    """Return a value as an expression.

    Raises:
        UnreadError: It is a method or an iterator, which is no value to keep.
    """
    if isinstance(value, Symbol):
        return value
    if isinstance(value, Listed):
        return made("list", None, value.items)
    raise UnreadError("a method or an iterator is kept as a value")


def tree(symbol: Symbol) -> dict[str, object]:
    """Return an expression as plain data: one key that says the kind, and what belongs to it."""
    parts = [tree(part) for part in symbol.parts]
    match symbol.kind:
        case "call":
            split = len(parts) - len(symbol.names)
            keywords = dict(zip(symbol.names, parts[split:], strict=True))
            return {"call": parts[0], "args": parts[1:split], "keywords": keywords}
        case "attr":
            return {"attr": symbol.value, "of": parts[0]}
        case "op":
            return {"op": symbol.value, "args": parts}
        case "item" | "tuple" | "list":
            return {symbol.kind: parts}
        case kind:
            return {kind: symbol.value}
