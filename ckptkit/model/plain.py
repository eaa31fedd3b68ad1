"""Inert trees as plain trees: what `model.tree` can encode stays, the rest is dropped by name."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ckptkit.errors import LimitExceededError
from ckptkit.model.checkpoint import Dropped
from ckptkit.model.inert import ClassRef, Instance, NdArray
from ckptkit.model.modules import attributes
from ckptkit.model.refusals import refuse, why_refused
from ckptkit.model.tensor import Tensor

MAX_DEPTH = 30
"""Most containers around a value; a level takes up to three in JSON, where `model.ijson` reads 100."""
MAX_REPEATS = 1 << 18
"""Most values that containers with several places in the tree may add by being written out again."""
MAX_INTEGER_BITS = 8192
MAX_DROPPED = 1000
"""Entries of one tree that are recorded one by one."""

_Items = list[object] | tuple[object, ...] | set[object] | frozenset[object]
_GONE = object()
_NAMESPACES = ("argparse.Namespace", "types.SimpleNamespace")
_ATOMS = (bool, float, complex, bytes, Tensor, ClassRef, NdArray)


def plain(tree: object, path: str = "") -> tuple[object, list[Dropped]]:
    """Return `tree` as plain data, and what had to be left out.

    Tensors, arrays and class references stay, as does a torch dtype (it is a `ClassRef`). A device
    and a file path become text, a namespace becomes a dict. Other objects and code are dropped; an
    entry whose key is no plain value is dropped with its value.

    Args:
        tree: Inert values.
        path: Where the tree is in the source, such as `data:lr_schedule`; starts every recorded path.

    Returns:
        The tree (None where nothing of it is plain) and one record a dropped entry.

    Raises:
        UnsupportedTensorError: It holds a tensor that no bundle can hold.
        LimitExceededError: It would become far larger than the file by repeating shared parts.
    """
    work = _Plain()
    result = work.value(tree, path, 0)
    return (None if result is _GONE else result), work.records()


@dataclass(slots=True)
class _Plain:
    dropped: list[Dropped] = field(default_factory=list)
    uncounted: int = 0
    open: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    repeats: int = 0

    def records(self) -> list[Dropped]:
        if self.uncounted:
            return [*self.dropped, Dropped("…", f"{self.uncounted} more entries without a plain form")]
        return self.dropped

    def drop(self, path: str, reason: str) -> object:
        if len(self.dropped) < MAX_DROPPED:
            self.dropped.append(Dropped(path or "the root", reason))
        else:
            self.uncounted += 1
        return _GONE

    def value(self, value: object, path: str, depth: int) -> object:
        if value is None or isinstance(value, _ATOMS):
            return value
        match value:
            case int():
                fits = value.bit_length() <= MAX_INTEGER_BITS
                return value if fits else self.drop(path, "an integer of more than 8192 bits")
            case str():
                return value if _is_text(value) else self.drop(path, "text with broken Unicode")
            case bytearray():
                return bytes(value)
            case list() | tuple() | dict() | set() | frozenset():
                return self.container(value, path, depth)
            case Instance(cls=ClassRef() as cls) if str(cls) in _NAMESPACES:
                return self.value(attributes(value), path, depth + 1)
            case _:
                return self.other(value, path)

    def other(self, value: object, path: str) -> object:
        reason = why_refused(value)
        if reason:
            raise refuse(path, reason)
        text = _as_text(value)
        return self.drop(path, _what(value)) if text is None else text

    def container(self, value: "_Items | dict[object, object]", path: str, depth: int) -> object:
        mark = id(value)
        if mark in self.open:
            return self.drop(path, "a container that holds itself")
        if depth >= MAX_DEPTH:
            return self.drop(path, f"nested more than {MAX_DEPTH} deep")
        if mark in self.seen:
            self.repeats += len(value) + 1
            if self.repeats > MAX_REPEATS:
                raise LimitExceededError(
                    "repeats shared parts until it is far larger than the file", where=path
                )
        self.seen.add(mark)
        self.open.add(mark)
        try:
            if isinstance(value, dict):
                return dict(self.pairs(value, path, depth + 1))
            items = self.items(value, path, depth + 1)
            if isinstance(value, list):
                return list(items)
            return tuple(items) if isinstance(value, tuple) else self.set_of(items, path)
        finally:
            self.open.discard(mark)

    def items(self, values: "_Items", path: str, depth: int) -> Iterator[object]:
        # A place in a sequence has a meaning, so that a dropped item leaves None behind.
        filler = _GONE if isinstance(values, set | frozenset) else None
        for i, item in enumerate(values):
            if type(item) is float:  # histories of numbers are long
                yield item
                continue
            result = self.value(item, _join(path, i), depth)
            if result is not _GONE:
                yield result
            elif filler is not _GONE:
                yield filler

    def set_of(self, items: Iterator[object], path: str) -> set[object]:
        result = set()
        for item in items:
            if _is_key(item):
                result.add(item)
            else:
                self.drop(path, "an item of a set that is no plain value")
        return result

    def pairs(self, mapping: dict[object, object], path: str, depth: int) -> Iterator[tuple[object, object]]:
        for key, item in mapping.items():
            place = _join(path, key if isinstance(key, str | int) else "(key)")
            kept = (
                self.value(key, place, depth)
                if _is_key(key)
                else self.drop(place, f"its key is {_what(key)}")
            )
            if kept is _GONE:
                continue
            result = self.value(item, place, depth)
            if result is not _GONE:
                yield kept, result


def _is_key(key: object) -> bool:
    """Whether `key` survives JSON as a key or an item of a set."""
    if isinstance(key, tuple):
        return all(_is_key(item) for item in key)
    return key is None or isinstance(key, bool | int | float | complex | str | bytes | ClassRef)


def _as_text(value: object) -> str | None:
    """Return a device or a file path as the text that it was made from; None for anything else."""
    if not isinstance(value, Instance) or not isinstance(value.cls, ClassRef):
        return None
    parts = [str(part) for part in value.args if isinstance(part, str | int)]
    if len(parts) != len(value.args) or not all(map(_is_text, parts)):
        return None
    if str(value.cls) == "torch.device":
        return ":".join(parts)
    return "/".join(parts).replace("//", "/") if value.cls.module == "pathlib" else None


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _join(path: str, part: object) -> str:
    return f"{path}.{part}" if path else str(part)


def _what(value: object) -> str:
    match value:
        case Instance(cls=ClassRef() as cls):
            return f"an object of {cls}"
        case Instance():
            return "an object of a class that the file stores by value"
        case Tensor():
            return "a tensor"
        case _:
            return f"a {type(value).__name__}"
