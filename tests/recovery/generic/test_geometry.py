"""The search for strides and paddings, against trying all of them."""

from itertools import product

import pytest
import torch
from torch import nn

from ckptkit.recovery.generic.geometry import MOST_LISTED, Steps, images, solve, unpadded_ways

NATURE = [(8, 8), (4, 4), (3, 3)]


def tried(side: int, kernels: tuple[int, ...], places: int) -> set[tuple[tuple[int, int], ...]]:
    """Return all strides and paddings of square images that fit, by brute force."""
    ways = [[(s, p) for s in range(1, k + 1) for p in range(k // 2 + 1)] for k in kernels]
    found = set()
    for way in product(*ways):
        size = side
        for kernel, (stride, padding) in zip(kernels, way, strict=True):
            size = (size + 2 * padding - kernel) // stride + 1 if size + 2 * padding >= kernel else 0
        if size > 0 and size * size == places:
            found.add(way)
    return found


def unpooled(ways: tuple[Steps, ...]) -> set[tuple[tuple[int, int], ...]]:
    return {
        tuple((step.stride, step.padding[0]) for step in steps)
        for steps in ways
        if not any(step.pool for step in steps)
    }


@pytest.mark.parametrize(
    ("side", "kernels", "places"),
    [(84, (8, 4, 3), 49), (20, (3, 3), 36), (10, (5,), 9), (36, (8, 4), 16), (64, (4, 4), 225)],
)
def test_all_strides_and_paddings_are_found(side: int, kernels: tuple[int, ...], places: int) -> None:
    found = solve((side, side), [(k, k) for k in kernels], places)
    assert unpooled(found.found) == tried(side, kernels, places)


def test_nature_cnn_on_84_pixels_has_one_simple_way_among_many() -> None:
    found = solve((84, 84), NATURE, 49)
    assert len(unpooled(found.found)) == 158
    assert len([way for way in unpooled(found.found) if not any(padding for _, padding in way)]) == 3
    (only,) = unpadded_ways((84, 84), NATURE, 49).found
    assert [step.stride for step in only] == [4, 2, 1]
    assert found.found[0] == only


def test_every_way_holds_in_torch() -> None:
    found = solve((30, 22), [(5, 5), (3, 3)], 7 * 5).found
    assert any(step.pool for steps in found for step in steps)
    assert len(found) >= 20
    for steps in found:
        x = torch.zeros(1, 1, 30, 22)
        for kernel, step in zip((5, 3), steps, strict=True):
            x = nn.Conv2d(1, 1, kernel, step.stride, step.padding)(x)
            x = nn.MaxPool2d(*step.pool)(x) if step.pool else x
        assert x.numel() == 35


def test_a_long_list_says_that_it_is_cut() -> None:
    found = solve((64, 64), [(3, 3)] * 8, 16)
    assert found.cut
    assert len(found.found) <= MOST_LISTED


def test_sizes_that_fit_are_runs() -> None:
    first = next(iter(images(NATURE, 49)))
    assert first == {"stride": [4, 2, 1], "padding": [0, 0, 0], "height": [84, 91], "width": [84, 91]}
    for side in (83, 84, 91, 92):
        assert bool(
            [w for w in unpadded_ways((side, side), NATURE, 49).found if [s.stride for s in w] == [4, 2, 1]]
        ) == (84 <= side <= 91)


def test_nothing_fits_an_image_that_is_too_small() -> None:
    assert solve((4, 4), NATURE, 49).found == ()
