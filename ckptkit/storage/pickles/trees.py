"""Bounds on what whoever walks a tree will meet, so that walkers need no guards of their own.

Values in a pickle are shared, so a small file can describe a tree that is endless or exponential
when written out. Every plain tree (lists, tuples, dicts, sets) is acyclic, at most
`limits.MAX_DEPTH` deep, and written out at most some times as large as the stream. Described objects
(`Instance`) end a plain tree and may refer to each other in circles, as modules and configurations
do; who follows them keeps track of where it has been.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model.inert import Instance, NdArray
from ckptkit.storage.pickles import limits

_ATOMS = frozenset((int, float, bool, type(None)))
_PLAIN = (dict, list, tuple, set, frozenset)
_PLAIN_KINDS = frozenset(_PLAIN)


def check_tree(root: object, where: str, length: int, room: int) -> None:
    """Check every plain tree that `root` reaches.

    Args:
        root: Value of a whole stream.
        where: For messages.
        length: Bytes of the stream.
        room: Bytes of memory that the walk may take.

    Raises:
        UnreadableCheckpointError: A container contains itself.
        LimitExceededError: A tree is too deep or too large.
    """
    allowance = limits.UNROLLED_PER_BYTE * length + limits.UNROLLED_FREE
    _Walk(where, allowance, limits.WALKED_FREE + max(room, 0) // limits.WALKED_BYTES).run(root)


class _Walk:
    """One depth-first walk; `sizes` and `depths` are those of finished containers, by identity."""

    def __init__(self, where: str, allowance: int, most: int) -> None:
        self.where = where
        self.allowance = allowance
        self.most = most
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
        stack = self._enter(top, 1)
        while stack:
            frame = stack[-1]
            if not frame.waiting:
                stack.pop()
                self._leave(frame)
                continue
            child = frame.waiting.pop()
            if id(child) in self.open:
                raise UnreadableCheckpointError(
                    "malformed pickle: a container contains itself", where=self.where
                )
            if id(child) not in self.sizes:
                stack += self._enter(child, len(stack) + 1)

    def _enter(self, container: object, depth: int) -> "list[_Frame]":
        """Measure the leaves inside a container, and all of it where it holds nothing else.

        Returns:
            A frame for the containers inside it; none where there are none.
        """
        if depth > limits.MAX_DEPTH:
            raise self._too_deep()
        size = 1
        inner: list[object] = []
        for child in values_of(container):
            kind = type(child)
            if kind in _ATOMS:
                size += 1
            elif isinstance(child, str):
                size += 1 + len(child) // 16
            elif kind in _PLAIN_KINDS or isinstance(child, _PLAIN):
                inner.append(child)
            else:
                size += weight(child)
                if kind is Instance:
                    self.roots.append(child)
        if not inner:
            self._settle(container, size, 1)
            return []
        self.open.add(id(container))
        return [_Frame(container, size, inner, inner.copy())]

    def _leave(self, frame: "_Frame") -> None:
        size, depth = frame.size, 1
        for child in frame.inner:
            inner = self.sizes.get(id(child), (1, 0))
            size += inner[0]
            depth = max(depth, inner[1] + 1)
        self.open.discard(id(frame.container))
        self._settle(frame.container, size, depth)

    def _settle(self, container: object, size: int, depth: int) -> None:
        """Keep the size and depth of a container that has been measured."""
        if size > self.allowance:
            raise LimitExceededError(
                f"a tree of more than {self.allowance:,} nodes, most of them shared", where=self.where
            )
        if depth > limits.MAX_DEPTH:
            raise self._too_deep()
        if len(self.sizes) >= self.most:
            raise LimitExceededError("far more containers than the stream is long", where=self.where)
        self.sizes[id(container)] = (size, depth)

    def _too_deep(self) -> LimitExceededError:
        return LimitExceededError(f"containers nested deeper than {limits.MAX_DEPTH}", where=self.where)


@dataclass(slots=True)
class _Frame:
    """A container that is being measured: its leaves are, what lies in `waiting` is not yet."""

    container: object
    size: int
    inner: list[object]
    waiting: list[object]


def weight(value: object) -> int:
    """Return how much a leaf adds to the size of a tree."""
    if isinstance(value, str | bytes | bytearray):
        return 1 + len(value) // 16
    return 1 + len(value.data) // 16 if isinstance(value, NdArray) else 1


def values_of(container: object) -> Iterable[object]:
    """Return the values inside a plain container, keys among them."""
    if isinstance(container, dict):
        state = getattr(container, "state", None)
        return (*container, *container.values(), state) if state else (*container, *container.values())
    return container if isinstance(container, _PLAIN) else ()
