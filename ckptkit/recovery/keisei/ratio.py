"""Which ratios give one hidden width: `max(1, int(width * ratio))` forgets the rest."""

from fractions import Fraction


def interval(hidden: int, width: int) -> dict[str, float]:
    """Return the ratios that give `hidden` of `width` channels.

    Returns:
        `below`, which the ratio does not reach, and `at_least`; `above` 0 in its place where the hidden
        width is 1, since 1 is also what any smaller ratio gives.
    """
    below = {"below": (hidden + 1) / width}
    return {"above": 0.0} | below if hidden == 1 else {"at_least": hidden / width} | below


def simplest(hidden: int, width: int) -> float:
    """Return the ratio of smallest denominator that gives `hidden` of `width` channels."""
    low, high = (Fraction(0) if hidden == 1 else Fraction(hidden, width)), Fraction(hidden + 1, width)
    for denominator in range(1, width + 1):
        numerator = -(-low.numerator * denominator // low.denominator) or 1
        if low <= Fraction(numerator, denominator) < high:
            value = numerator / denominator
            if max(1, int(width * value)) == hidden:
                return value
    return hidden / width
