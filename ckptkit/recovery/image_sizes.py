"""Which images a stack of convolutions without padding flattens to a given number of features.

One axis: n becomes (n - kernel) // stride + 1, so that the sizes behind which `out` places are left
are one run of integers. A flatten size of channels · h · w therefore leaves, for each way to write
h · w, a rectangle of heights and widths, and nothing else.
"""

import math
from collections.abc import Iterator, Sequence

Window = tuple[int, int]
"""Kernel and stride along one axis."""
Run = tuple[int, int]
"""First and last of consecutive sizes."""
MOST_SQUARES = 64
"""Squares that are listed one by one; more of them stand in their run alone."""


def behind(size: int, windows: Sequence[Window]) -> int:
    """Return how many places `size` pixels leave; 0 or less where a kernel does not fit."""
    for kernel, stride in windows:
        size = (size - kernel) // stride + 1 if size >= kernel else 0
    return size


def sizes(places: int, windows: Sequence[Window]) -> Run:
    """Return the sizes that leave exactly `places` of them (one or more)."""
    low = high = places
    for kernel, stride in reversed(windows):
        low, high = (low - 1) * stride + kernel, high * stride + kernel - 1
    return low, high


def rectangles(places: int, windows: Sequence[Window]) -> Iterator[tuple[Run, Run]]:
    """Yield the heights and widths for each h · w = `places`, the squarest first."""
    pairs = [(h, places // h) for h in divisors(places)]
    for h, w in sorted(pairs, key=lambda pair: (abs(math.log(pair[0] / pair[1])), pair)):
        yield sizes(h, windows), sizes(w, windows)


def divisors(number: int) -> list[int]:
    """Return the divisors of a number (one or more), in order."""
    small = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
    return sorted({*small, *(number // n for n in small)})


def squares(places: int, windows: Sequence[Window]) -> range:
    """Return every n for which an image of n x n pixels leaves `places`; empty where none does."""
    root = math.isqrt(places)
    if root * root != places:
        return range(0)
    low, high = sizes(root, windows)
    return range(low, high + 1)


def alternatives(channels: int, places: int, windows: Sequence[Window]) -> list[object]:
    """Return the exact set of images: squares one by one, then all as runs of heights and widths."""
    fit = squares(places, windows)
    found: list[object] = [[channels, n, n] for n in fit] if len(fit) <= MOST_SQUARES else []
    for height, width in rectangles(places, windows):
        found.append({"channels": channels, "height": list(height), "width": list(width)})
    return found


def described(channels: int, places: int, windows: Sequence[Window]) -> str:
    """Return the two squarest rectangles of the set in words."""
    runs = list(rectangles(places, windows))
    words = [f"{channels},{h[0]}..{h[1]},{w[0]}..{w[1]}" for h, w in runs[:2]]
    return " or ".join(words) + (" or longer ones" if len(runs) > 2 else "")


def example(channels: int, places: int, windows: Sequence[Window]) -> str:
    """Return the smallest image of the squarest kind as it is typed."""
    height, width = next(rectangles(places, windows))
    return f"{channels},{height[0]},{width[0]}"
