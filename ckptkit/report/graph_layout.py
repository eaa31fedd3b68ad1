"""Where the boxes of a drawn network go: rows from top to bottom, no two boxes in each other's way.

Pure geometry in pixels. Each box stands below all that it takes from; a line that passes a row goes
through a gap of its own in it. Within a row the boxes are ordered so that few lines cross, and stand
as near as they can to the middle of what they are joined with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[int, int]
Point = tuple[float, float]

GAP_X, GAP_Y = 28.0, 34.0
LANE = 6.0
"""Width of the gap that a line goes through."""
SWEEPS = 8
MOST_LANES = 1000
"""Beyond this many, lines go straight, whatever they cross."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of all boxes and lines.

    Attributes:
        corners: Top left corner of each box.
        lines: For each edge the points that its line goes through, downwards.
        width: Of everything together.
        height: Likewise.
    """

    corners: tuple[Point, ...]
    lines: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def place(sizes: Sequence[Point], edges: Sequence[Edge], *, first: set[int], last: set[int]) -> Layout:
    """Place boxes in rows.

    Args:
        sizes: Width and height of each box.
        edges: Pairs (upper, lower), upper < lower: boxes come in an order in which each follows
            those that it takes from.
        first: Boxes of the top row.
        last: Boxes of the bottom row, from which no edge leads.
    """
    rows = _rows(len(sizes), edges, first, last)
    chains, rows, widths = _lanes(edges, rows, [width for width, _ in sizes])
    links = [link for chain in chains for link in pairwise(chain)]
    order = _ordered(rows, links)
    centres = _centres(order, widths, links)
    heights = [max((sizes[one][1] for one in row if one < len(sizes)), default=0.0) for row in order]
    tops = [sum(heights[:index]) + GAP_Y * index for index in range(len(heights))]
    corners = [(centres[one] - width / 2, tops[rows[one]]) for one, (width, _) in enumerate(sizes)]
    lines = tuple(_line(chain, centres, rows, tops, heights, sizes) for chain in chains)
    right = max((corner[0] + size[0] for corner, size in zip(corners, sizes, strict=True)), default=0.0)
    right = max([right, *(x for points in lines for x, _ in points)])
    return Layout(tuple(corners), lines, right, (tops[-1] + heights[-1]) if tops else 0.0)


def _rows(count: int, edges: Sequence[Edge], first: set[int], last: set[int]) -> list[int]:
    """Return the row of each box: one below the lowest that it takes from."""
    rows = [0] * count
    for upper, lower in sorted(edges, key=lambda edge: edge[1]):
        rows[lower] = max(rows[lower], rows[upper] + 1)
    bottom = max(rows, default=0)
    below = {upper for upper, _ in edges}
    for box in range(count):
        if box in last and box not in below:
            rows[box] = bottom
        elif box in first:
            rows[box] = 0
    return rows


def _lanes(
    edges: Sequence[Edge], rows: Sequence[int], widths: Sequence[float]
) -> tuple[list[list[int]], list[int], list[float]]:
    """Give each edge a lane in every row that it passes; lanes count on behind the boxes."""
    all_rows, all_widths, chains = list(rows), list(widths), []
    straight = sum(rows[lower] - rows[upper] for upper, lower in edges) > MOST_LANES
    for upper, lower in edges:
        chain = [upper]
        for row in [] if straight else range(rows[upper] + 1, rows[lower]):
            chain.append(len(all_rows))
            all_rows.append(row)
            all_widths.append(LANE)
        chains.append([*chain, lower])
    return chains, all_rows, all_widths


def _ordered(rows: Sequence[int], links: Sequence[Edge]) -> list[list[int]]:
    """Return the boxes and lanes of each row from left to right; the best of a few sweeps."""
    order: list[list[int]] = [[] for _ in range(max(rows, default=-1) + 1)]
    for one, row in enumerate(rows):
        order[row].append(one)
    above, below = _neighbours(len(rows), links)
    best, fewest = [list(row) for row in order], _crossings(order, below)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        sides = above if down else below
        for index in range(len(order)) if down else reversed(range(len(order))):
            near = {one: place for row in order for place, one in enumerate(row)}
            order[index].sort(key=lambda one: _mean([near[other] for other in sides[one]], near[one]))
        found = _crossings(order, below)
        if found < fewest:
            best, fewest = [list(row) for row in order], found
    return best


def _neighbours(count: int, links: Sequence[Edge]) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for upper, lower in links:
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def _crossings(order: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> int:
    """Count the pairs of lines between neighbouring rows that cross."""
    places = {one: place for row in order for place, one in enumerate(row)}
    crossed = 0
    for row in order:
        ends = [end for one in row for end in sorted(places[other] for other in below[one])]
        crossed += sum(left > right for index, left in enumerate(ends) for right in ends[index + 1 :])
    return crossed


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _centres(order: Sequence[Sequence[int]], widths: Sequence[float], links: Sequence[Edge]) -> list[float]:
    """Return the middle of each box and lane: near its neighbours, in the order of its row."""
    above, below = _neighbours(len(widths), links)
    centres = [0.0] * len(widths)
    both = [[*up, *down] for up, down in zip(above, below, strict=True)]
    for sides in [above, below, above, below, both, both, both, below]:
        downwards = sides is not below
        for row in order if downwards else reversed(order):
            wanted = [_mean([centres[other] for other in sides[one]], centres[one]) for one in row]
            for one, centre in zip(row, _apart(wanted, [widths[one] for one in row]), strict=True):
                centres[one] = centre
    left = min((centre - width / 2 for centre, width in zip(centres, widths, strict=True)), default=0.0)
    return [round(centre - left, 1) for centre in centres]


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Return the middles nearest to `wanted`, in the least squares, at which nothing overlaps."""
    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + left / 2 + GAP_X + right / 2)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    shifts = [total / count for total, count in pools for _ in range(count)]
    return [shift + offset for shift, offset in zip(shifts, offsets, strict=True)]


def _line(
    chain: Sequence[int],
    centres: Sequence[float],
    rows: Sequence[int],
    tops: Sequence[float],
    heights: Sequence[float],
    sizes: Sequence[Point],
) -> tuple[Point, ...]:
    """Return the points of a line: from the foot of a box through its lanes to the head of another."""
    upper, lower = chain[0], chain[-1]
    points = [(centres[upper], tops[rows[upper]] + sizes[upper][1])]
    for lane in chain[1:-1]:
        top = tops[rows[lane]]
        points += [(centres[lane], top), (centres[lane], top + heights[rows[lane]])]
    return (*points, (centres[lower], tops[rows[lower]]))
