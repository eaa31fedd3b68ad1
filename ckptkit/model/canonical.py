"""Canonical JSON (RFC 8785): one sequence of bytes for one value, whatever wrote it."""

import json
import math
from collections.abc import Callable, Mapping

from ckptkit.model.tree import SAFE_INTEGER

_quoted = json.encoder.encode_basestring
_compact = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_CONSTANTS = {None: "null", True: "true", False: "false"}


def canonical(value: object) -> bytes:
    """Return the canonical UTF-8 bytes of JSON data.

    Object keys are sorted by UTF-16 code units, numbers are spelled as ECMAScript does, and no
    space is written.

    Raises:
        ValueError: A number has no I-JSON form (NaN, infinity, an integer outside ±(2^53 - 1)),
            or a string holds a lone surrogate.
        TypeError: `value` is no JSON data.
    """
    if _is_plain(value):
        return _compact(value).encode()
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode()


def _is_plain(value: object) -> bool:
    """Whether the standard library's encoder, many times as fast, spells `value` as RFC 8785 does.

    That is so without floats, and with keys of ASCII, whose order of code points is that of UTF-16.
    """
    if isinstance(value, str) or value is None:
        return True
    if isinstance(value, int):
        return -SAFE_INTEGER <= value <= SAFE_INTEGER
    if isinstance(value, dict):
        return "".join(value).isascii() and all(map(_is_plain, value.values()))
    return isinstance(value, list) and all(map(_is_plain, value))


def _write(value: object, put: Callable[[str], None]) -> None:
    match value:
        case str():
            put(_quoted(value))
        case None | bool():
            put(_CONSTANTS[value])
        case int():
            if abs(value) > SAFE_INTEGER:
                raise ValueError(f"integer {value} is outside ±(2^53 - 1)")
            put(str(value))
        case float():
            put(number(value))
        case list():
            _write_list(value, put)
        case Mapping():
            _write_object(value, put)
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON data")


def _write_list(value: list[object], put: Callable[[str], None]) -> None:
    before = "["
    for item in value:
        put(before)
        _write(item, put)
        before = ","
    put("]" if value else "[]")


def _write_object(value: Mapping[str, object], put: Callable[[str], None]) -> None:
    # Among ASCII characters the order of code points is that of UTF-16 code units.
    plain = "".join(value).isascii()
    before = "{"
    for key in sorted(value) if plain else sorted(value, key=lambda key: key.encode("utf-16-be")):
        put(f"{before}{_quoted(key)}:")
        _write(value[key], put)
        before = ","
    put("}" if value else "{}")


def number(value: float) -> str:
    """Return a float64 as ECMAScript's `Number::toString` spells it (ECMA-262, 6.1.6.1.20).

    Raises:
        ValueError: `value` is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} has no JSON form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    # repr gives the shortest digits that read back as the same float64, which is what ES6 asks for.
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return sign + _spell(digits.rstrip("0"), point)


def _spell(digits: str, point: int) -> str:
    """Return `0.digits` times ten to the power of `point`."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
