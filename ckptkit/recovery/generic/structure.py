"""What modules have in common: numbered places, equal blocks, copies, shared tensors. Facts, all proven."""

from collections.abc import Iterator, Mapping, Sequence

from ckptkit.model.tensor import Tensor
from ckptkit.recovery.evidence import Findings

MOST_DEPTH = 32
"""Dots of a name up to which it is taken apart."""
Signature = tuple[tuple[str, tuple[int, ...], str], ...]


class Subtrees:
    """The tensors of a state dict below each of its paths."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._below: dict[str, list[tuple[str, tuple[int, ...], str]]] = {}
        self._children: dict[str, dict[str, None]] = {}
        for name, tensor in tensors.items():
            parts = name.split(".")
            for at in range(0 if "" in parts else min(len(parts), MOST_DEPTH)):
                path, rest = ".".join(parts[:at]), ".".join(parts[at:])
                self._below.setdefault(path, []).append((rest, tensor.shape, tensor.dtype.name))
                if at + 1 < len(parts):
                    self._children.setdefault(path, {})[parts[at]] = None

    def paths(self) -> Iterator[str]:
        """Yield every path that has modules below it, the outermost first."""
        yield from self._children

    def children(self, path: str) -> Sequence[str]:
        """Return the names directly below `path` that have tensors below themselves."""
        return tuple(self._children.get(path, ()))

    def ends(self, path: str) -> list[str]:
        """Return the names of the first and the last tensor below `path`."""
        rows = self._below[path]
        start = f"{path}." if path else ""
        return list(dict.fromkeys([start + rows[0][0], start + rows[-1][0]]))

    def signature(self, path: str) -> Signature:
        """Return names, shapes and types of all tensors below `path`, whatever their order."""
        return tuple(sorted(self._below.get(path, ())))


def record(findings: Findings) -> None:
    """Record what is so by names, shapes and storages alone."""
    trees = Subtrees(findings.names.tensors)
    for path in trees.paths():
        numbers = numbered(trees.children(path))
        if numbers:
            ends = [findings.names.source[name] for name in trees.ends(path)]
            findings.prove(f"sequences.{path}", _sequence(numbers), *ends)
            runs = _runs(trees, path, numbers)
            if runs:
                findings.prove(f"repeats.{path}", runs, *ends)
    copies = list(_copies(trees, ""))
    if copies:
        findings.prove("same_shapes", copies)
    shared = _shared(findings)
    if shared:
        findings.prove("shared_tensors", shared)


def numbered(children: Sequence[str]) -> list[int]:
    """Return the children as numbers, in order; nothing where they are names, or there is one."""
    fits = len(children) > 1 and all(
        child.isascii() and child.isdigit() and len(child) < 8 and str(int(child)) == child
        for child in children
    )
    return sorted(int(child) for child in children) if fits else []


def _sequence(numbers: Sequence[int]) -> dict[str, object]:
    """Return the numbers that have tensors, and each run of those that have none, with its length."""
    gaps, before = [], -1
    for number in numbers:
        if number - before > 1:
            gaps.append({"from": before + 1, "places": number - before - 1})
        before = number
    return {"with_tensors": list(numbers), "without": gaps}


def _runs(trees: Subtrees, path: str, numbers: Sequence[int]) -> list[object]:
    """Return each run of neighbouring blocks of several modules that have equal tensors."""
    below = {number: trees.signature(f"{path}.{number}" if path else str(number)) for number in numbers}
    found: list[dict[str, int]] = []
    run = [numbers[0]]
    for number in [*numbers[1:], None]:
        if number is not None and below[number] == below[run[0]]:
            run.append(number)
            continue
        if len(run) > 1 and any("." in name for name, _, _ in below[run[0]]):
            found.append({"first": run[0], "last": run[-1], "times": len(run)})
        run = [] if number is None else [number]
    return list(found)


def _copies(trees: Subtrees, path: str) -> Iterator[object]:
    """Yield the named siblings that have equal tensors, the outermost alone; blocks by number apart."""
    children = trees.children(path)
    alike: dict[Signature, list[str]] = {}
    for child in children:
        inner = f"{path}.{child}" if path else child
        alike.setdefault(trees.signature(inner), []).append(inner)
    for signature, paths in alike.items():
        if len(paths) > 1 and not numbered(children) and any("." in name for name, _, _ in signature):
            yield paths
            continue
        for inner in paths[:1] if len(paths) > 1 else paths:
            yield from _copies(trees, inner)


def _shared(findings: Findings) -> list[object]:
    same: dict[tuple[object, ...], list[str]] = {}
    for name, tensor in findings.names.tensors.items():
        same.setdefault(tensor.identity, []).append(findings.names.source[name])
    return [names for names in same.values() if len(names) > 1]
