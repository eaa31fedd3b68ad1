"""Bounds on what whoever walks a tree will meet, so that walkers need no guards of their own.

Values in a pickle are shared, so a small file can describe a tree that is endless or exponential
when written out. Every plain tree (lists, tuples, dicts, sets) is acyclic, at most
`limits.MAX_DEPTH` deep, and written out at most some times as large as the stream. Described objects
(`Instance`) end a plain tree and may refer to each other in circles, as modules and configurations
do; who follows them keeps track of where it has been.
"""

from collections.abc import Iterable

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model.inert import Instance, NdArray
from ckptkit.storage.pickles import limits

_LEAVES = frozenset((str, int, float, bool, bytes, type(None)))
_PLAIN = (dict, list, tuple, set, frozenset)


def check_tree(root: object, where: str, length: int) -> None:
    """Check every plain tree that `root` reaches.

    Args:
        root: Value of a whole stream.
        where: For messages.
        length: Bytes of the stream.

    Raises:
        UnreadableCheckpointError: A container contains itself.
        LimitExceededError: A tree is too deep or too large.
    """
    _Walk(where, limits.UNROLLED_PER_BYTE * length + limits.UNROLLED_FREE).run(root)


class _Walk:
    """One depth-first walk; `sizes` and `depths` are those of finished containers, by identity."""

    def __init__(self, where: str, allowance: int) -> None:
        self.where = where
        self.allowance = allowance
        self.sizes: dict[int, tuple[int, int]] = {}
        self.open: set[int] = set()
        self.roots: list[object] = []
        self.described: set[int] = set()

    def run(self, root: object) -> None:
        self.roots.append(root)
        while self.roots:
            top = self.roots.pop()
            if isinstance(top, Instance):
                self._describe(top)
            elif isinstance(top, _PLAIN) and id(top) not in self.sizes:
                self._measure(top)

    def _describe(self, instance: Instance) -> None:
        if id(instance) in self.described:
            return
        self.described.add(id(instance))
        parts = (
            instance.cls,
            instance.args,
            instance.kwargs,
            instance.state,
            instance.items,
            instance.pairs,
        )
        self.roots.extend(part for part in parts if part)

    def _measure(self, top: object) -> None:
        """Measure a container and all below it, children first."""
        stack: list[tuple[object, list[object]]] = []
        self._enter(stack, top)
        while stack:
            container, waiting = stack[-1]
            if not waiting:
                stack.pop()
                self._leave(container)
                continue
            child = waiting.pop()
            if id(child) in self.open:
                raise UnreadableCheckpointError(
                    "malformed pickle: a container contains itself", where=self.where
                )
            if id(child) not in self.sizes:
                self._enter(stack, child)

    def _enter(self, stack: list[tuple[object, list[object]]], container: object) -> None:
        self.open.add(id(container))
        children = children_of(container)
        self.roots.extend(child for child in children if isinstance(child, Instance))
        stack.append((container, [child for child in children if isinstance(child, _PLAIN)]))
        if len(stack) > limits.MAX_DEPTH:
            raise LimitExceededError(f"containers nested deeper than {limits.MAX_DEPTH}", where=self.where)

    def _leave(self, container: object) -> None:
        size, depth = 1, 1
        for child in values_of(container):
            if isinstance(child, _PLAIN):
                inner = self.sizes.get(id(child), (1, 0))
                size += inner[0]
                depth = max(depth, inner[1] + 1)
            else:
                size += weight(child)
        if size > self.allowance:
            raise LimitExceededError(
                f"a tree of more than {self.allowance:,} nodes, most of them shared", where=self.where
            )
        if depth > limits.MAX_DEPTH:
            raise LimitExceededError(f"containers nested deeper than {limits.MAX_DEPTH}", where=self.where)
        self.open.discard(id(container))
        self.sizes[id(container)] = (size, depth)


def weight(value: object) -> int:
    """Return how much a leaf adds to the size of a tree."""
    if isinstance(value, str | bytes | bytearray):
        return 1 + len(value) // 16
    return 1 + len(value.data) // 16 if isinstance(value, NdArray) else 1


def values_of(container: object) -> Iterable[object]:
    """Return the values inside a plain container, keys among them."""
    if isinstance(container, dict):
        state = getattr(container, "state", None)
        return (*container.keys(), *container.values(), *([state] if state else ()))
    return container if isinstance(container, list | tuple | set | frozenset) else ()


def children_of(container: object) -> list[object]:
    """Return the values inside a plain container that are no plain leaves."""
    return [child for child in values_of(container) if type(child) not in _LEAVES]
