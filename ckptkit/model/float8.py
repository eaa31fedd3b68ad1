"""The values of bfloat16 and the float8 types, which numpy lacks.

Sources: the OCP 8-bit floating point specification 1.0 (E4M3, E5M2), the OCP microscaling formats
specification 1.0 (E8M0), and arXiv 2206.02915 (the FNUZ forms: one zero, one NaN, no infinity).
"""

import math
from functools import cache
from typing import TYPE_CHECKING, Any

from ckptkit.model.tensor import NUMPY

if TYPE_CHECKING:
    import numpy as np

_FORMS = {
    "F8_E5M2": (2, 15, False),
    "F8_E4M3": (3, 7, False),
    "F8_E5M2FNUZ": (2, 16, True),
    "F8_E4M3FNUZ": (3, 8, True),
}
"""Bits of the mantissa, bias of the exponent, and whether 0x80 is the only NaN."""


def decoded(piece: bytes, dtype: str) -> "np.ndarray[Any, Any]":
    """Return elements in a type that numpy computes with.

    Args:
        piece: Whole elements, little-endian.
        dtype: Safetensors spelling.

    Returns:
        One axis; BF16 as float32, float8 as float64, every other type as it is.
    """
    import numpy as np

    raw = np.frombuffer(piece, NUMPY[dtype])
    if dtype == "BF16":
        return (raw.astype("<u4") << 16).view("<f4")
    return _table(dtype)[raw] if dtype.startswith("F8_") else raw


@cache
def _table(dtype: str) -> "np.ndarray[Any, Any]":
    import numpy as np

    return np.array([_value(dtype, code) for code in range(256)], "<f8")


def _value(dtype: str, code: int) -> float:
    if dtype == "F8_E8M0":
        return math.nan if code == 0xFF else math.ldexp(1.0, code - 127)
    bits, bias, fnuz = _FORMS[dtype]
    sign = -1.0 if code & 0x80 else 1.0
    exponent, mantissa = (code & 0x7F) >> bits, code & ((1 << bits) - 1)
    special = _special(dtype, code, mantissa) if not fnuz else (math.nan if code == 0x80 else None)
    if special is not None:
        return sign * special
    if exponent == 0:
        return sign * math.ldexp(mantissa, 1 - bias - bits)
    return sign * math.ldexp((1 << bits) + mantissa, exponent - bias - bits)


def _special(dtype: str, code: int, mantissa: int) -> float | None:
    """Return infinity or NaN where an OCP code stands for one."""
    if dtype == "F8_E4M3":
        return math.nan if code & 0x7F == 0x7F else None
    if code & 0x7C != 0x7C:
        return None
    return math.nan if mantissa else math.inf
