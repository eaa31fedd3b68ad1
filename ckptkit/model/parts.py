"""Which parts of a checkpoint's tree are the model, and what the rest of it is.

A part is a state dict (also a nested one) or a pickled module. Parts are found by what they hold;
the words of keys only settle what content cannot: which of several are statistics and not networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ckptkit.errors import LimitExceededError
from ckptkit.model.checkpoint import Note
from ckptkit.model.inert import Instance
from ckptkit.model.modules import has_hooks, is_module, module_state_dict, module_summary
from ckptkit.model.naming import Named, flatten, join, key_text
from ckptkit.model.refusals import refuse
from ckptkit.model.survey import (
    Holds,
    Survey,
    children,
    is_bare_training,
    is_network_key,
    is_statistic_key,
    is_training,
)
from ckptkit.model.tensor import Tensor

MAX_DEPTH = 32
MAX_VISITS = 1 << 16


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the tree that is model weights.

    Attributes:
        path: Keys from the root.
        value: State dict or pickled module.
        loose: Whether only the tensors that lie directly in it are meant.
    """

    path: tuple[object, ...]
    value: object
    loose: bool = False

    @property
    def is_network(self) -> bool:
        """Whether a key on the way to it, or its being a module, says that it is a network."""
        if is_module(self.value) or not self.path:
            return True
        return any(is_network_key(key) for key in self.path) and not self.is_statistic

    @property
    def is_statistic(self) -> bool:
        """Whether its own key says that it is a record of training."""
        return bool(self.path) and not is_module(self.value) and is_statistic_key(self.path[-1])


@dataclass(frozen=True, slots=True)
class Split:
    """A checkpoint's tree, taken apart.

    Attributes:
        tensors: The model's tensors under their own names; with a prefix where there are several parts.
        rest: The tree without them, by text keys.
        modules: Summary of pickled modules by name, empty where there are none.
        notes: What was decided on the way.
    """

    tensors: dict[str, Tensor]
    rest: dict[str, object]
    modules: dict[str, object] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def split(root: object) -> Split:
    """Take the model out of a checkpoint's tree.

    Args:
        root: A dict, a list or tuple, or an object whose attributes are looked through.

    Raises:
        UnsupportedTensorError: A tensor of the model has no form in a bundle, or no usable name.
        UnreadableCheckpointError: A pickled module holds itself.
        LimitExceededError: The tree is too deep, or repeats shared parts without end.
    """
    found = _Search()
    if not is_bare_training(root):
        found.visit(root, ())
    parts, others = _choose(found.parts or found.lists)
    shared = _common([part.path for part in parts])
    tensors: dict[str, Tensor] = {}
    modules: dict[str, object] = {}
    notes = _notes(parts, others)
    left: dict[tuple[object, ...], dict[object, object]] = {path: {} for path in found.again}
    for part in parts:
        named = _tensors(part)
        prefix = ".".join(key_text(key, ()) for key in part.path[shared:])
        _add(tensors, join(prefix, named.tensors))
        modules |= _modules(part, prefix)
        notes += named.notes
        left[part.path] = _loose_rest(part) if part.loose else dict(named.rest.items())
    rest = left[()] if () in left else _without(root, (), left)
    return Split(tensors, {_text(key): value for key, value in rest.items()}, modules, tuple(notes))


def _add(tensors: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    for name, tensor in more.items():
        if name in tensors:
            raise refuse(name, "is a name that two tensors of this file would have")
        tensors[name] = tensor


def _loose_rest(part: Part) -> dict[object, object]:
    return {key: item for key, item in children(part.value) if not isinstance(item, Tensor)}


def _text(key: object) -> str:
    return key if isinstance(key, str) else repr(key) if isinstance(key, tuple | bytes) else str(key)


def _tensors(part: Part) -> Named:
    if isinstance(part.value, Instance):
        names = module_state_dict(part.value)
        hooked = has_hooks(part.value)
        message = "the module has state-dict hooks, which were not run and might have changed names"
        notes = (Note("state-dict-hook", message, hooked[0] or "the module"),) if hooked else ()
        return Named(names, {}, notes)
    if part.loose and isinstance(part.value, dict):
        return flatten({key: item for key, item in part.value.items() if isinstance(item, Tensor)})
    return flatten(part.value)


def _modules(part: Part, prefix: str) -> dict[str, object]:
    if not isinstance(part.value, Instance):
        return {}
    summary = module_summary(part.value)
    return {".".join(filter(None, (prefix, name))): facts for name, facts in summary.items()}


def _choose(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """Keep the networks; parts that nothing calls a network are the model only if there are no others."""
    networks = [part for part in parts if part.is_network]
    kept = networks or [part for part in parts if not part.is_statistic]
    return kept, [part for part in parts if part not in kept]


def _common(paths: Sequence[tuple[object, ...]]) -> int:
    """Return how many leading keys all paths share."""
    if not paths:
        return 0
    depth = 0
    for keys in zip(*paths, strict=False):
        if any(key != keys[0] for key in keys):
            break
        depth += 1
    return depth


def _dotted(path: Sequence[object]) -> str:
    return ".".join(_text(key) for key in path) or "the root"


def _notes(parts: Sequence[Part], others: Sequence[Part]) -> list[Note]:
    notes = []
    if not parts:
        notes.append(Note("no-model", "the file holds no model weights, only state of a training run"))
    if len(parts) > 1:
        names = ", ".join(_dotted(part.path) for part in parts)
        notes.append(Note("several-models", f"the model's parts keep their keys as prefixes: {names}"))
    if others:
        names = ", ".join(_dotted(part.path) for part in others)
        message = f"tensors that no key calls a network are kept as training state: {names}"
        notes.append(Note("other-tensors", message, _dotted(others[0].path)))
    return notes


def _without(
    value: object, path: tuple[object, ...], left: dict[tuple[object, ...], dict[object, object]]
) -> dict[object, object]:
    """Return the entries of `value` without the parts; what a part left over stays at its place."""
    kept: dict[object, object] = {}
    for key, item in children(value):
        inner = (*path, key)
        if inner in left:
            entries = left[inner]
        elif any(part[: len(inner)] == inner for part in left):
            entries = _without(item, inner, left)
        else:
            kept[key] = item
            continue
        if entries:
            kept[key] = entries
    return kept


@dataclass(slots=True)
class _Search:
    """Walks the tree once and collects its parts in order."""

    survey: Survey = field(default_factory=Survey)
    parts: list[Part] = field(default_factory=list)
    lists: list[Part] = field(default_factory=list)
    again: list[tuple[object, ...]] = field(default_factory=list)
    modules: set[int] = field(default_factory=set)
    open: set[int] = field(default_factory=set)
    visits: int = 0

    def visit(self, value: object, path: tuple[object, ...]) -> None:
        if is_module(value):
            # An object may keep one module under several attributes: it is one model.
            self.again += [path] if id(value) in self.modules else []
            self.parts += [] if id(value) in self.modules else [Part(path, value)]
            self.modules.add(id(value))
        elif path and is_training(path[-1], value):
            return
        elif self.survey.is_pure(value) and path:
            self.parts.append(Part(path, value))
        elif self.survey.holds(value) & (Holds.TENSOR | Holds.MODULE) and id(value) not in self.open:
            self._descend(value, path)

    def _descend(self, value: object, path: tuple[object, ...]) -> None:
        self.visits += 1
        if self.visits > MAX_VISITS or len(path) > MAX_DEPTH:
            raise LimitExceededError("nests or repeats its parts without end", where=_dotted(path[:4]))
        before = len(self.parts)
        self.open.add(id(value))
        for key, item in children(value):
            if isinstance(item, dict | list | tuple | Instance):
                self.visit(item, (*path, key))
        self.open.discard(id(value))
        if path and is_network_key(path[-1]) and self._is_list(value):
            self.lists.append(Part(path, value))
        if len(self.parts) == before and _is_loose(value):
            self.parts.append(Part(path, value, loose=True))

    def _is_list(self, value: object) -> bool:
        """Whether `value` is a list of tensors: weights without names, where nothing else is a model."""
        return isinstance(value, list | tuple) and self.survey.holds(value) == Holds.TENSOR


def _is_loose(value: object) -> bool:
    """Whether a mixed mapping is itself a state dict with other entries among its tensors."""
    if not isinstance(value, dict) or any(is_training(key, item) for key, item in value.items()):
        return False
    return any(isinstance(item, Tensor) and item.shape for item in value.values())
