"""Changes to a state dict that must change nothing, and changes that must be noticed."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from benchmarks.recovery.header import Entry, cast
from benchmarks.recovery.network import Network, Truth

PREFIXES = ("module.", "_orig_mod.", "policy.", "model.", "module._orig_mod.")
CASTS = ("F16", "BF16", "F64")
STRANGER = "stranger.weight"
MUTATIONS = 2


@dataclass(frozen=True, slots=True)
class Variant:
    """One file of the zoo.

    Attributes:
        name: What was changed; `as made` for nothing.
        header: The state dict.
        truth: Truth of each field, by the family's field names.
        refused: Whether the family must not take it: no network of it has these tensors.
        stranger: Whether a tensor was added that no network has.
        changed: The tensor whose shape was changed; empty where none was.
    """

    name: str
    header: Mapping[str, Entry]
    truth: Mapping[str, Truth]
    refused: bool = False
    stranger: bool = False
    changed: str = ""


def variants(network: Network, seed: str) -> Iterator[Variant]:
    """Yield the network as made, and changed; the same ones for the same seed."""
    chance = random.Random(seed)  # noqa: S311
    header = network.header()
    truth = network.truth(network.config)
    yield Variant("as made", header, truth)
    prefix = chance.choice(PREFIXES)
    yield Variant("renamed prefix", renamed(header, prefix), truth)
    names = chance.sample(list(header), len(header))
    yield Variant("reordered", untied({name: header[name] for name in names}, header), truth)
    dtype = chance.choice(CASTS)
    yield from _cast(network, header, dtype)
    if any(name.endswith(tuple(network.droppable)) for name in header):
        kept = {n: one for n, one in header.items() if not n.endswith(tuple(network.droppable))}
        yield Variant("dropped buffers", kept, truth)
    if any(one.tied for one in header.values()):
        yield Variant("untied", {name: replace(one, tied="") for name, one in header.items()}, truth)
    yield from _tied(header, truth, chance)
    stranger = {**header, STRANGER: Entry("F32", (3, 7))}
    yield Variant("stranger added", stranger, truth, stranger=True)
    for _ in range(MUTATIONS):
        if network.family == "generic":
            yield contradicting(header, chance)
        else:
            yield mutated(network, header, chance)


def renamed(header: Mapping[str, Entry], prefix: str) -> dict[str, Entry]:
    """Return a state dict with a prefix before every name."""
    return {prefix + name: replace(one, tied=one.tied and prefix + one.tied) for name, one in header.items()}


def untied(header: dict[str, Entry], before: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return a reordered state dict whose ties point to the first of each storage again."""
    first: dict[str, str] = {}
    found = {}
    for name, one in header.items():
        owner = before[name].tied or name
        found[name] = replace(one, tied=first.get(owner, ""))
        first.setdefault(owner, name)
    return found


def _cast(network: Network, header: Mapping[str, Entry], dtype: str) -> Iterator[Variant]:
    """Cast all floats; a buffer that says a field says what it was rounded to."""
    made = {name: cast(one, dtype) for name, one in header.items()}
    truth = dict(network.truth(network.config))
    support = made.get("support")
    if support is not None and support.values is not None and "v_min" in truth:
        for name, value in (("v_min", support.values[0]), ("v_max", support.values[-1])):
            truth[name] = replace(truth[name], value=value)
    yield Variant(f"cast to {dtype}", made, truth)


def _tied(
    header: Mapping[str, Entry], truth: Mapping[str, Truth], chance: random.Random
) -> Iterator[Variant]:
    """Let two weights that are alike share one storage."""
    groups: dict[Entry, list[str]] = {}
    for name, one in header.items():
        if one.values is None and not one.tied and len(one.shape) > 1:
            groups.setdefault(one, []).append(name)
    pairs = [names for names in groups.values() if len(names) > 1]
    if pairs:
        first, second = chance.choice(pairs)[:2]
        yield Variant("tied", {**header, second: replace(header[second], tied=first)}, truth)


def mutated(network: Network, header: Mapping[str, Entry], chance: random.Random) -> Variant:
    """Change one shape, and find out from the constructor alone whether that is another network of it."""
    name = chance.choice([name for name, one in header.items() if one.shape and not one.tied])
    one = header[name]
    axis = chance.randrange(len(one.shape))
    size = chance.choice(sorted({one.shape[axis] + 1, one.shape[axis] - 1, 2 * one.shape[axis]} - {0}))
    shape = (*one.shape[:axis], size, *one.shape[axis + 1 :])
    if chance.random() < 0.15:
        shape = (*one.shape, 1)
    changed = {**header, name: replace(one, shape=shape, values=_stretched(one, shape))}
    # Another of its file's storages cannot be this tensor's any more.
    changed = {n: replace(o, tied="") if o.tied == name else o for n, o in changed.items()}
    for config in network.others(network.config, size):
        try:
            same = _alike(network.header(config), changed)
        except (RuntimeError, ValueError, AssertionError):
            continue  # the constructor takes no such size
        if same:
            return Variant("mutated into another", changed, network.truth(config))
    return Variant("shape mutated", changed, {}, refused=True, changed=name)


def contradicting(header: Mapping[str, Entry], chance: random.Random) -> Variant:
    """Make one vector of a layer longer by one than what else the layer has."""
    paths = Counter(name.rpartition(".")[0] for name in header)
    names = [
        name for name, one in header.items() if len(one.shape) == 1 and paths[name.rpartition(".")[0]] > 1
    ]
    name = chance.choice(names)
    longer = replace(header[name], shape=(header[name].shape[0] + 1,))
    return Variant("shape mutated", {**header, name: longer}, {}, refused=True, changed=name)


def _alike(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> bool:
    return {n: (e.dtype, e.shape) for n, e in one.items()} == {
        n: (e.dtype, e.shape) for n, e in other.items()
    }


def _stretched(entry: Entry, shape: tuple[int, ...]) -> tuple[float, ...] | None:
    """Return values of the new size, in even steps between the old ends, rounded as the old ones."""
    if entry.values is None:
        return None
    count = 1
    for size in shape:
        count *= size
    low, high = entry.values[0], entry.values[-1]
    if entry.dtype.startswith("I"):
        return tuple(range(count))
    steps = max(count - 1, 1)
    values = tuple(low + (high - low) * i / steps for i in range(count))
    return cast(Entry("F64", shape, values), entry.dtype).values
