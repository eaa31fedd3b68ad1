"""Numbers as float64, which not every integer of a file fits into."""


def real(value: object) -> float | None:
    """Return a number as float64; None for a boolean, what is no number, and integers beyond float64."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
