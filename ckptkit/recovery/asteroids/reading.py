"""What the tensors of an Asteroids network say: convolutions, heads, and the range of its atoms."""

import struct
from dataclasses import dataclass

from ckptkit.recovery.canonical import Canonical
from ckptkit.recovery.image_sizes import Window
from ckptkit.recovery.relations import Relations

HIDDEN = 512
THREE = ((32, 8), (64, 4), (64, 3))
"""Channels and kernel of each convolution."""
FIRST_OF_FOUR = 16
MOST_KERNEL = 64
MOST_ATOMS = 1 << 16
"""Kernel of the first convolution in the older network of four."""
PLAIN, DUELING = ("fc",), ("value_stream", "advantage_stream")
LAST = 2
LETTERS = {"F64": "d", "F32": "f", "F16": "e", "BF16": "H"}
PRECISION = {"F64": 53, "F32": 24, "F16": 11, "BF16": 8}
"""Bits of the significand, the one that is not stored included."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One network as its tensors tell it.

    Attributes:
        names: The state dict.
        kernels: Kernel of each convolution, in order.
        channels: Channels of the image.
        places: Places (height times width) behind the last convolution.
        heads: Paths of the heads.
        noisy: Whether their layers are noisy.
        rows: Rows of the last layer: actions, or actions times atoms.
        atoms: Atoms for each action; None where the tensors do not say, 1 where there is one value.
        support: First and last atom; None without that buffer.
        unexplained: Tensors that have no place in the network.
    """

    names: Canonical
    kernels: tuple[int, ...]
    channels: int
    places: int
    heads: tuple[str, ...]
    noisy: bool
    rows: int
    atoms: int | None
    support: tuple[float, float] | None
    unexplained: tuple[str, ...]

    @property
    def windows(self) -> tuple[Window, ...]:
        """Kernel and stride of each convolution; every stride is half of its kernel."""
        return tuple((kernel, kernel // 2) for kernel in self.kernels)

    @property
    def dueling(self) -> bool:
        """Whether there are heads for values and for advantages."""
        return self.heads == DUELING

    @property
    def last(self) -> str:
        """The file's own name of the weight whose rows are the actions."""
        return self.names.source[f"{self.heads[-1]}.{LAST}.{'weight_mu' if self.noisy else 'weight'}"]


def read(names: Canonical) -> Reading:
    """Compare a state dict with the networks of the family.

    Raises:
        UnlikeError: It is none of them.
    """
    relations = Relations(names)
    kernels, last = _convolutions(relations)
    heads = DUELING if any(relations.below(path) for path in DUELING) else PLAIN
    noisy = relations.has(f"{heads[0]}.0.weight_mu")
    for head, rows in zip(heads, ("values", "rows") if heads == DUELING else ("rows",), strict=True):
        _linear(relations, f"{head}.0", HIDDEN, "features", noisy=noisy)
        _linear(relations, f"{head}.{LAST}", rows, HIDDEN, noisy=noisy)
    sizes = relations.sizes
    if sizes["features"] % last:
        weight = f"{heads[0]}.0.{'weight_mu' if noisy else 'weight'}"
        relations.fail(weight, f"{sizes['features']} features are no multiple of {last} channels")
    support = _support(relations)
    return Reading(
        names=names,
        kernels=kernels,
        channels=sizes["channels"],
        places=sizes["features"] // last,
        heads=heads,
        noisy=noisy,
        rows=sizes["rows"],
        atoms=_atoms(relations, heads[-1], noisy=noisy),
        support=support,
        unexplained=relations.unexplained(),
    )


def _convolutions(relations: Relations) -> tuple[tuple[int, ...], int]:
    """Return the kernels, and the channels behind the last convolution."""
    if not relations.has("conv.6.weight"):
        before: int | str = "channels"
        for index, (count, kernel) in enumerate(THREE):
            relations.layer(f"conv.{2 * index}", count, before, kernel, kernel)
            before = count
        return tuple(kernel for _, kernel in THREE), THREE[-1][0]
    words = ("channels", "first", "second", "third", "fourth")
    relations.layer("conv.0", words[1], words[0], FIRST_OF_FOUR, FIRST_OF_FOUR)
    for index in (1, 2, 3):
        relations.layer(f"conv.{2 * index}", words[index + 1], words[index], f"k{index}", f"k{index}")
        if not 2 <= relations.sizes[f"k{index}"] <= MOST_KERNEL:
            relations.fail(f"conv.{2 * index}.weight", "its kernel has no usual stride of half its size")
    kernels = tuple(relations.sizes[f"k{index}"] for index in (1, 2, 3))
    return (FIRST_OF_FOUR, *kernels), relations.sizes["fourth"]


def _linear(relations: Relations, path: str, rows: int | str, columns: int | str, *, noisy: bool) -> None:
    if not noisy:
        relations.layer(path, rows, columns)
        return
    for kind in ("mu", "sigma"):
        relations.expect(f"{path}.weight_{kind}", rows, columns)
        relations.expect(f"{path}.bias_{kind}", rows)
    relations.optional(f"{path}.epsilon_input", columns)
    relations.optional(f"{path}.epsilon_output", rows)


def _atoms(relations: Relations, head: str, *, noisy: bool) -> int | None:
    """Return how many atoms an action has; None where neither `support` nor a value head says it."""
    sizes = relations.sizes
    count = sizes.get("atoms", sizes.get("values"))
    if count is None:
        return None
    if sizes.get("values", count) != count:
        relations.fail("support", f"{count} atoms, and a value head of {sizes['values']}")
    if sizes["rows"] % count:
        weight = f"{head}.{LAST}.{'weight_mu' if noisy else 'weight'}"
        relations.fail(weight, f"{sizes['rows']} rows do not divide into {count} atoms for each action")
    return count


def _support(relations: Relations) -> tuple[float, float] | None:
    """Return the first and last atom, after making sure that all lie in even steps between them."""
    if not relations.optional("support", "atoms"):
        return None
    if relations.sizes["atoms"] > min(relations.sizes["rows"], MOST_ATOMS):
        relations.fail("support", "it has more atoms than the network has rows")
    values = _numbers(relations)
    low, high, steps = values[0], values[-1], len(values) - 1
    if steps < 1 or not low < high:
        relations.fail("support", "its values do not rise from a lowest to a highest")
    rounded = 2.0 ** (1 - PRECISION[relations.tensor("support").dtype.name]) * max(abs(low), abs(high))
    room = max(1e-2 * (high - low) / steps, rounded)
    if not all(abs(value - low - (high - low) * i / steps) <= room for i, value in enumerate(values)):
        relations.fail("support", "its values are not in even steps")
    return low, high


def _numbers(relations: Relations) -> list[float]:
    tensor = relations.tensor("support")
    dtype = tensor.dtype.name
    if dtype not in LETTERS:
        relations.fail("support", f"{dtype} values are no atoms")
    values = struct.unpack(f"<{tensor.numel}{LETTERS[dtype]}", tensor.tobytes())
    if dtype == "BF16":  # the upper half of a float32
        wide = struct.pack(f"<{len(values)}I", *(value << 16 for value in values))
        values = struct.unpack(f"<{len(values)}f", wide)
    return list(values)
