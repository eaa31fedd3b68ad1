"""Tensor names out of inert trees: state dicts, and nested containers by dotted path."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ckptkit.errors import LimitExceededError, UnsupportedTensorError
from ckptkit.model.checkpoint import Note
from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.modules import is_module, module_state_dict, module_summary
from ckptkit.model.plain import plain
from ckptkit.model.refusals import check_name, refuse, why_refused
from ckptkit.model.sharing import partial_sharing
from ckptkit.model.tensor import Tensor

__all__ = [
    "EXTRA_STATE",
    "Named",
    "flatten",
    "is_module",
    "module_state_dict",
    "module_summary",
    "partial_sharing",
    "plain",
    "state_dict",
]

EXTRA_STATE = "_extra_state"
"""Last part of the key under which torch stores what `get_extra_state` returned; not a tensor."""
RENAMED = "renamed_tensors"
"""Field of `model_config` that lists tensors that an exporter named, turned or merged: neither name nor shape
says which parameters of the network they were."""
MAX_TENSORS = 1 << 17
"""Most tensors that one tree may name; shared containers could otherwise name them without end."""
MAX_DEPTH = 64
"""Most containers around a tensor."""


@dataclass(frozen=True, slots=True)
class Named:
    """Tensors by name, and what stood between them.

    Attributes:
        tensors: In the order of the tree.
        rest: Values that are no tensors, by dotted path; None values are left out.
        notes: Keys that had to be rewritten to be names.
    """

    tensors: dict[str, Tensor]
    rest: dict[str, object] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def state_dict(value: object) -> dict[str, Tensor] | None:
    """Return `value` as a state dict; None where it is none.

    A state dict is a mapping of text to tensors. Entries that torch lets a module add
    (`…_extra_state`) and entries that are None do not count.

    Raises:
        UnsupportedTensorError: An entry is a tensor that a bundle cannot hold.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return None
    entries = {key: item for key, item in value.items() if not is_filler(key, item)}
    if not all(isinstance(item, Tensor) or why_refused(item) for item in entries.values()):
        return None
    return {name: tensor_named(item, name) for name, item in entries.items()}


def is_filler(key: object, item: object) -> bool:
    """Whether an entry may stand in a state dict without being a tensor."""
    if item is None:
        return True
    return isinstance(key, str) and key.rpartition(".")[2] == EXTRA_STATE and not isinstance(item, Tensor)


def tensor_named(item: object, name: str) -> Tensor:
    """Return `item`, which is to be stored as `name`.

    Raises:
        UnsupportedTensorError: It is no tensor that a bundle can hold, or `name` cannot be a name.
    """
    if not isinstance(item, Tensor):
        raise refuse(name, why_refused(item) or f"is a {kind_of(item)}")
    check_name(name)
    return item


def kind_of(value: object) -> str:
    """Return what `value` is, for people."""
    match value:
        case Instance(cls=ClassRef() as cls):
            return str(cls)
        case Instance():
            return "object of a class stored by value"
        case ClassRef():
            return f"reference to {value}"
        case dict():
            return "dict"
        case list():
            return "list"
        case _:
            return type(value).__name__


def flatten(tree: object, prefix: str = "") -> Named:
    """Name the tensors of nested containers by their dotted paths.

    Args:
        tree: A tensor, or dicts, lists and tuples around tensors. Modules and other objects are
            not looked into.
        prefix: First part of each name; a tensor that stands alone is called `prefix` or `tensor`.

    Raises:
        UnsupportedTensorError: A tensor has no form in a bundle, or its name is no name or is taken.
        LimitExceededError: The tree nests too deeply or names too many tensors or other values.
    """
    found: dict[str, Tensor] = {}
    rest: dict[str, object] = {}
    renamed: list[str] = []
    for path, item in _leaves(tree, (prefix,) if prefix else ()):
        name = ".".join(path) if path else "tensor"
        if not isinstance(item, Tensor) and not why_refused(item):
            if item is not None:
                rest[name] = item
            if len(rest) > MAX_TENSORS:
                raise LimitExceededError(f"names more than {MAX_TENSORS} values that are no tensors")
            continue
        if name in found:
            raise refuse(name, "is a name that two tensors of this file would have")
        found[name] = tensor_named(item, name)
        if len(found) > MAX_TENSORS:
            raise LimitExceededError(f"names more than {MAX_TENSORS} tensors")
        renamed += [name] if any(isinstance(part, _Number) for part in path) else []
    return Named(found, rest, tuple(_rename_notes(renamed)))


class _Number(str):
    """A name part that the file has as an integer key."""

    __slots__ = ()


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield each leaf with its path; a container deeper than `MAX_DEPTH` is refused."""
    # Entries are taken one by one: a list of them all would take more memory than the tree.
    pending = [iter([(path, value)])]
    while pending:
        for place, item in pending[-1]:
            if not isinstance(item, dict | list | tuple):
                yield place, item
                continue
            if len(place) > MAX_DEPTH:
                where = ".".join(place[:4]) + "…"
                raise LimitExceededError(f"nests more than {MAX_DEPTH} deep", where=where)
            pending.append(_entries(item, place))
            break
        else:
            pending.pop()


def _entries(
    container: Mapping[object, object] | Sequence[object], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(container, Mapping):
        yield from (((*path, key_text(key, path)), item) for key, item in container.items())
    else:
        yield from (((*path, str(i)), item) for i, item in enumerate(container))


def key_text(key: object, path: Sequence[str]) -> str:
    """Return `key` as a part of a name.

    Raises:
        UnsupportedTensorError: It is neither text nor an integer.
    """
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return _Number(key)
    where = ".".join(path) or "the root"
    raise UnsupportedTensorError(
        f"a key at {where} is a {kind_of(key)}, which cannot be part of a tensor's name",
        fix="save it again with text keys",
    )


def _rename_notes(names: list[str]) -> Iterator[Note]:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield Note("key-to-text", f"integer keys became text in the name of {names[0]}{more}", names[0])


def join(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `tensors` with `prefix` and a dot before each name; an empty prefix changes nothing."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()} if prefix else dict(tensors)
