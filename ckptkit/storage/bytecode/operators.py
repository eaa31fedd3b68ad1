"""Operators over symbols: numbers and lists are put together, all else is noted."""

from collections.abc import Callable

from ckptkit.storage.bytecode.calls import grow, integer
from ckptkit.storage.bytecode.symbols import Listed, Symbol, UnreadError, Value, const, made

NUMBERED = ("+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^")
"""Operators as `BINARY_OP` numbers them (CPython 3.11 to 3.14); those that change in place follow."""
SUBSCRIPT = 2 * len(NUMBERED)
"""Number of `[]`, from 3.14 on."""
SYMBOLS = {
    "BINARY_ADD": "+",
    "BINARY_SUBTRACT": "-",
    "BINARY_MULTIPLY": "*",
    "BINARY_FLOOR_DIVIDE": "//",
    "BINARY_TRUE_DIVIDE": "/",
    "INPLACE_ADD": "+=",
    "INPLACE_SUBTRACT": "-=",
    "INPLACE_MULTIPLY": "*=",
    "INPLACE_FLOOR_DIVIDE": "//=",
    "INPLACE_TRUE_DIVIDE": "/=",
}
"""Operators that had instructions of their own up to 3.10."""
_COUNTS: dict[str, Callable[[int, int], int]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "//": lambda left, right: left // right,
}


def combined(operator: int | str, left: Value, right: Value) -> Value:
    """Return what an operator makes of two values.

    Raises:
        UnreadError: It is none that is followed.
    """
    if isinstance(operator, int):
        if operator == SUBSCRIPT:
            return item(left, right)
        if operator > SUBSCRIPT:
            raise UnreadError("an unknown operator")
        index, in_place = operator % len(NUMBERED), operator >= len(NUMBERED)
        operator = NUMBERED[index] + ("=" if in_place else "")
    plain = operator.removesuffix("=")
    if isinstance(left, Listed) or isinstance(right, Listed):
        return _lists(operator, left, right)
    a, b = integer(left), integer(right)
    if a is not None and b is not None and plain in _COUNTS and not (plain == "//" and not b):
        return const(_COUNTS[plain](a, b))
    if operator != plain:
        raise UnreadError("a value is changed in place")
    return made("op", plain, (left, right))


def _lists(operator: str, left: Value, right: Value) -> Listed:
    if not isinstance(left, Listed) or not isinstance(right, Listed) or operator not in ("+", "+="):
        raise UnreadError("an operation on a list")
    found = left if operator == "+=" else Listed(list(left.items))
    grow(found, list(right.items))
    return found


def item(value: Value, index: Value) -> Value:
    """Return an element where value and index are known, else the note of it."""
    number = integer(index)
    if isinstance(value, Symbol) and value.kind in ("tuple", "list"):
        items: list[Value] = list(value.parts)
    elif isinstance(value, Listed):
        items = value.items
    else:
        return made("item", None, (value, index))
    if number is None or not -len(items) <= number < len(items):
        raise UnreadError("an element of a list is not known")
    return items[number]


def negative(value: Value) -> Value:
    """Return a value with the other sign."""
    number = integer(value)
    return const(-number) if number is not None else made("op", "-", (const(0), value))
