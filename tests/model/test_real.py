"""Numbers of a file as float64."""

import math

import pytest

from ckptkit.model.real import real


@pytest.mark.parametrize(("value", "number"), [(0, 0.0), (-3, -3.0), (0.5, 0.5), (2**1023, 2.0**1023)])
def test_numbers(value: object, number: float) -> None:
    assert real(value) == number


@pytest.mark.parametrize("value", [True, False, None, "1", b"1", [1.0], 1j, 10**400, -(10**400), 2**1024])
def test_what_is_no_number_or_beyond_float64(value: object) -> None:
    assert real(value) is None


def test_what_is_not_finite_is_a_float_all_the_same() -> None:
    assert real(math.inf) == math.inf
    assert math.isnan(real(math.nan) or 0)
