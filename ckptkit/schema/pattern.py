"""Patterns of JSON Schema (ECMA-262) as Python's `re` reads them."""

import re
from functools import cache


@cache
def compiled(text: str) -> re.Pattern[str]:
    r"""Return the pattern of a schema.

    In ECMA-262 `$` is the end of the text; Python's also matches in front of a last newline, so that
    a digest with a newline behind it would pass. It becomes `\Z`.
    """
    return re.compile("".join(_parts(text)))


def _parts(text: str) -> list[str]:
    parts, in_class = [], False
    for part in re.findall(r"\\.|.", text, re.DOTALL):
        if part == "$" and not in_class:
            parts.append(r"\Z")
            continue
        in_class = part == "[" or (in_class and part != "]")
        parts.append(part)
    return parts
