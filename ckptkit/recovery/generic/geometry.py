"""Which strides and paddings bring an image down to the places that a Linear behind it counts.

The same stride along every axis, from 1 to the kernel (or `MOST_STRIDE`); padding from none to half of the
kernel, the same along every axis where the kernel is; no dilation; between convolutions either nothing
that changes sizes or one pooling. Work is bounded by `MOST_STEPS`, and `cut` says that it ended there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ckptkit.recovery.image_sizes import divisors

MOST_STRIDE = 16
MOST_PADDING = 8
MOST_STEPS = 40_000
MOST_LISTED = 256
MOST_LAYERS = 8
RULE = "no padding, no pooling, strides that never grow and are at most the kernel"
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
POOLS = ((2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 3, 0))
"""Kernel, stride and padding of the usual poolings."""

Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What one convolution does to sizes.

    Attributes:
        stride: Along every axis.
        padding: For each axis.
        pool: Kernel, stride and padding of the pooling behind it; empty without one.
    """

    stride: int
    padding: Sizes
    pool: Sizes = ()

    def behind(self, sizes: Sizes, kernel: Sizes) -> Sizes:
        """Return the sizes behind it; empty where a kernel does not fit."""
        found = tuple(
            (size + 2 * padding - k) // self.stride + 1
            for size, k, padding in zip(sizes, kernel, self.padding, strict=True)
        )
        if self.pool and min(found) > 0:
            k, stride, padding = self.pool
            found = tuple((size + 2 * padding - k) // stride + 1 for size in found)
        return found if min(found) > 0 else ()


Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Solutions:
    """Ways that fit, the simplest first.

    Attributes:
        found: Each one step a convolution.
        cut: Whether there may be more of this form.
    """

    found: tuple[Steps, ...]
    cut: bool


@dataclass(slots=True)
class _Search:
    """A walk over the steps of each layer that leaves out what cannot reach the goal."""

    kernels: Sequence[Sizes]
    places: int
    options: Sequence[Sequence[Step]]
    left: int = MOST_STEPS
    known: dict[tuple[int, Sizes], bool] = field(default_factory=dict)

    def reaches(self, layer: int, sizes: Sizes) -> bool:
        if layer == len(self.kernels):
            return _product(sizes) == self.places
        if (layer, sizes) not in self.known:
            self.known[layer, sizes] = any(
                self.reaches(layer + 1, new) for _, new in self._next(layer, sizes)
            )
        return self.known[layer, sizes]

    def walk(self, layer: int, sizes: Sizes) -> Iterator[Steps]:
        if layer == len(self.kernels):
            yield ()
            return
        for step, new in self._next(layer, sizes):
            if self.reaches(layer + 1, new):
                yield from ((step, *rest) for rest in self.walk(layer + 1, new))

    def _next(self, layer: int, sizes: Sizes) -> Iterator[tuple[Step, Sizes]]:
        for step in self.options[layer]:
            self.left -= 1
            if self.left < 0:
                return
            new = step.behind(sizes, self.kernels[layer])
            if new:
                yield step, new


def solve(sizes: Sizes, kernels: Sequence[Sizes], places: int) -> Solutions:
    """Return how an input of `sizes` may come to `places`.

    Args:
        sizes: Of the image, without channels.
        kernels: Of each convolution.
        places: Product of the sizes behind the last one.
    """
    found: dict[Steps, None] = {}
    cut = False
    for options in (_strides(kernels), _paddings(kernels), _poolings(kernels)):
        search = _Search(kernels, places, options)
        ranked = []
        for steps in search.walk(0, sizes):
            ranked.append(steps)
            if len(ranked) > MOST_LISTED:
                break
        cut = cut or search.left < 0 or len(ranked) > MOST_LISTED
        found |= dict.fromkeys(sorted(ranked, key=rank))
        if len(found) >= MOST_LISTED:
            break
    return Solutions(tuple(found)[:MOST_LISTED], cut or len(found) > MOST_LISTED)


def rank(steps: Steps) -> tuple[object, ...]:
    """Return what ways are sorted by: no pooling, no padding, strides that never grow, little padding."""
    strides = [step.stride for step in steps]
    padding = sum(sum(step.padding) for step in steps)
    return sum(bool(step.pool) for step in steps), padding > 0, strides != _falling(strides), padding, strides


def unpadded_ways(sizes: Sizes, kernels: Sequence[Sizes], places: int) -> Solutions:
    """Return the ways by `RULE`; arguments as for `solve`."""
    search = _Search(kernels, places, _strides(kernels))
    found: list[Steps] = []
    for count, steps in enumerate(search.walk(0, sizes)):
        if count > MOST_LISTED:
            return Solutions(tuple(found), cut=True)
        if rank(steps)[:3] == (0, False, False):
            found.append(steps)
    return Solutions(tuple(found), cut=search.left < 0)


def as_json(steps: Steps) -> dict[str, object]:
    """Return a way as data: strides, paddings and poolings, one of each for each convolution."""
    found: dict[str, object] = {
        "stride": [step.stride for step in steps],
        "padding": [step.padding[0] if len(set(step.padding)) == 1 else list(step.padding) for step in steps],
    }
    if any(step.pool for step in steps):
        found["pool"] = [list(step.pool) or None for step in steps]
    return found


def images(kernels: Sequence[Sizes], places: int) -> Iterator[dict[str, object]]:
    """Yield strides without padding that never grow, each with the runs of sizes that it brings to `places`.

    The squarest shape of the places is taken; strides of half the kernel come first.
    """
    axes = len(kernels[0])
    shape = _squarest(places, axes)
    for strides in _falling_strides(kernels):
        runs = []
        for axis in range(axes):
            low = high = shape[axis]
            for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
                low, high = (low - 1) * stride + kernel[axis], high * stride + kernel[axis] - 1
            runs.append([low, high])
        named = dict(zip(AXES[axes], runs, strict=True))
        yield {"stride": list(strides), "padding": [0] * len(strides), **named}


def _falling(numbers: Sequence[int]) -> list[int]:
    return sorted(numbers, reverse=True)


def _falling_strides(kernels: Sequence[Sizes]) -> list[tuple[int, ...]]:
    ways: list[tuple[int, ...]] = [()]
    for kernel in kernels:
        most = min(*kernel, MOST_STRIDE) if len(kernel) > 1 else min(kernel[0], MOST_STRIDE)
        ways = [
            (*way, stride) for way in ways for stride in range(1, most + 1) if not way or stride <= way[-1]
        ][: MOST_LISTED * MOST_STRIDE]
    half = [max(min(kernel) // 2, 1) for kernel in kernels]
    return sorted(ways, key=lambda way: sum(abs(a - b) for a, b in zip(way, half, strict=True)))[:MOST_LISTED]


def _squarest(places: int, axes: int) -> Sizes:
    if axes == 1:
        return (places,)
    root = places ** (1 / axes)
    side = min(divisors(places), key=lambda n: abs(n - root))
    return (side, *_squarest(places // side, axes - 1))


def _strides(kernels: Sequence[Sizes]) -> list[list[Step]]:
    return [
        [Step(stride, (0,) * len(kernel)) for stride in range(1, min(*kernel, MOST_STRIDE, MOST_STRIDE) + 1)]
        for kernel in kernels
    ]


def _paddings(kernels: Sequence[Sizes]) -> list[list[Step]]:
    found = []
    for kernel, plain in zip(kernels, _strides(kernels), strict=True):
        half = tuple(k // 2 for k in kernel)
        ways = {(0,) * len(kernel), half}
        if len(set(kernel)) == 1:
            ways |= {(p,) * len(kernel) for p in range(min(half[0], MOST_PADDING) + 1)}
        found.append([replace(step, padding=padding) for padding in sorted(ways) for step in plain])
    return found


def _poolings(kernels: Sequence[Sizes]) -> list[list[Step]]:
    found = []
    for kernel, plain in zip(kernels, _strides(kernels), strict=True):
        half = tuple(k // 2 for k in kernel)
        paddings = dict.fromkeys([(0,) * len(kernel), half])
        few = [replace(step, padding=padding) for step in plain[:4] for padding in paddings]
        found.append([replace(step, pool=pool) for pool in ((), *POOLS) for step in few])
    return found


def _product(sizes: Sizes) -> int:
    count = 1
    for size in sizes:
        count *= size
    return count
