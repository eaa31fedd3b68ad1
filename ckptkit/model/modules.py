"""Pickled `torch.nn.Module` objects: the state dict they would give, without bringing them to life.

Source: torch 2.13.0, `torch/nn/modules/module.py` (`state_dict`, `_save_to_state_dict`,
`__setstate__`): own parameters, own persistent buffers, then children, each in order of registration.
"""

from collections.abc import Iterator

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError, UnsupportedTensorError
from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.refusals import check_name, refuse, why_refused
from ckptkit.model.tensor import Tensor

MAX_MODULES = 1 << 15
"""Most places in a module tree; a module that several others share counts at each."""
MAX_DEPTH = 100
MAX_SUMMARY = 4096
"""Most modules that a summary lists."""
MAX_ATTRIBUTES = 64
MAX_ITEMS = 16
MAX_TEXT = 200

_REGISTRIES = ("_parameters", "_buffers", "_modules")


def attributes(instance: Instance) -> dict[str, object]:
    """Return what would become the object's attributes: its `__dict__`, then its slots."""
    state = instance.state
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    merged: dict[str, object] = {}
    for part in parts:
        if isinstance(part, dict):
            merged |= {key: value for key, value in part.items() if isinstance(key, str)}
    return merged


def is_module(value: object) -> bool:
    """Whether `value` is an object with the registries of a `torch.nn.Module`."""
    if not isinstance(value, Instance):
        return False
    own = attributes(value)
    return all(isinstance(own.get(name), dict) for name in _REGISTRIES)


def class_name(cls: object) -> str:
    """Return the class as text; a class that the pickle makes by value has no name to trust."""
    return str(cls) if isinstance(cls, ClassRef) else "(class by value)"


def walk(root: Instance) -> Iterator[tuple[str, Instance]]:
    """Yield the dotted path and the module for every place in the tree, parents first.

    Raises:
        UnreadableCheckpointError: A module holds itself, or a child is no module.
        LimitExceededError: There are too many places, or they nest too deeply.
    """
    places = 0
    stack: list[tuple[str, Instance, tuple[int, ...]]] = [("", root, ())]
    while stack:
        path, module, above = stack.pop()
        places += 1
        if places > MAX_MODULES or len(above) > MAX_DEPTH:
            raise LimitExceededError(
                f"has more than {MAX_MODULES} modules, or more than {MAX_DEPTH} in each other"
            )
        if id(module) in above:
            raise UnreadableCheckpointError(f"module {path} holds itself")
        yield path, module
        below = (*above, id(module))
        stack += [(_join(path, name), child, below) for name, child in reversed(_children(module, path))]


def _children(module: Instance, path: str) -> list[tuple[str, Instance]]:
    children = []
    for name, child in _registry(module, "_modules").items():
        if child is None:
            continue
        if not isinstance(child, Instance) or not is_module(child):
            kind = class_name(child.cls) if isinstance(child, Instance) else type(child).__name__
            raise UnsupportedTensorError(
                f"module {_join(path, name)!r} ({kind}) was pickled in a form of its own, "
                "so that its tensors have no names without running its code",
                fix="save module.state_dict() instead",
            )
        children.append((name, child))
    return children


def _registry(module: Instance, name: str) -> dict[str, object]:
    entries = attributes(module)[name]
    if not isinstance(entries, dict):  # `is_module` has made sure of it for every module that is walked
        raise TypeError(name)
    return {str(key): value for key, value in entries.items()}


def module_state_dict(instance: Instance) -> dict[str, Tensor]:
    """Return what `module.state_dict()` would, in torch's own order.

    Buffers in `_non_persistent_buffers_set` and entries that are None are left out. A module or
    tensor that has several places has several names.

    Raises:
        UnreadableCheckpointError: A module holds itself.
        UnsupportedTensorError: An entry is no tensor that a bundle can hold.
        LimitExceededError: The tree is too large or too deep.
    """
    found: dict[str, Tensor] = {}
    for path, module in walk(instance):
        for key, item in _own(module):
            name = _join(path, key)
            if not isinstance(item, Tensor):
                raise refuse(name, why_refused(item) or f"is a {type(item).__name__}")
            check_name(name)
            if name in found:
                raise refuse(name, "is a name that two tensors of this file would have")
            found[name] = item
    return found


def _own(module: Instance) -> Iterator[tuple[str, object]]:
    skipped = attributes(module).get("_non_persistent_buffers_set")
    transient = skipped if isinstance(skipped, set | frozenset | list | tuple) else ()
    for key, item in _registry(module, "_parameters").items():
        if item is not None:
            yield key, item
    for key, item in _registry(module, "_buffers").items():
        if item is not None and key not in transient:
            yield key, item


def module_summary(instance: Instance) -> dict[str, object]:
    """Return each module's class and its plain settings, such as `in_features` or `stride`.

    Returns:
        Module path (`""` for the root) to `{"class": text, "attrs": {…}}`, at most `MAX_SUMMARY` of them.
        Only public attributes that are numbers, short text, or short sequences of numbers are listed.
    """
    summary: dict[str, object] = {}
    for path, module in walk(instance):
        if len(summary) == MAX_SUMMARY:
            break
        own = {
            k: v for k, v in attributes(module).items() if k[:1] != "_" and k != "training" and _is_setting(v)
        }
        kept = dict(list(own.items())[:MAX_ATTRIBUTES])
        summary[path] = {"class": class_name(module.cls), "attrs": kept}
    return summary


def has_hooks(instance: Instance) -> list[str]:
    """Return the paths of modules with state-dict hooks, which could have changed names."""
    harmless = ("torch.nn.utils.spectral_norm.SpectralNormStateDictHook",)
    paths = []
    for path, module in walk(instance):
        hooks = attributes(module).get("_state_dict_hooks")
        values = list(hooks.values()) if isinstance(hooks, dict) else []
        if any(class_name(getattr(hook, "cls", None)) not in harmless for hook in values):
            paths.append(path)
    return paths


def _is_setting(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and value.isprintable()
    if isinstance(value, list | tuple):
        return len(value) <= MAX_ITEMS and all(
            item is None or isinstance(item, bool | int | float) for item in value
        )
    return value is None or isinstance(value, bool | int | float)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
