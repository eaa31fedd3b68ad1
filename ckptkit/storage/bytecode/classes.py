"""A class by value as plain data: what its `__init__` sets and what its `forward` returns."""

from collections.abc import Iterator, Mapping

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.storage.bytecode.following import follow
from ckptkit.storage.bytecode.frame import Frame, parameters
from ckptkit.storage.bytecode.functions import Function, function
from ckptkit.storage.bytecode.symbols import OPAQUE, Symbol, UnreadError, Value, const, snapshot, tree
from ckptkit.storage.bytecode.tables import OLDEST_MODERN, OPCODES

START, FORWARD = "__init__", "forward"
BASES = frozenset(
    [
        "stable_baselines3.common.torch_layers.BaseFeaturesExtractor",
        "torch.nn.Module",
        "torch.nn.modules.module.Module",
    ]
)
"""Classes that add no layer and change no call."""
_SILENT = frozenset(
    [
        "__abstractmethods__",
        "__annotations__",
        "__annotate_func__",
        "__annotations_cache__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__module__",
        "__parameters__",
        "__qualname__",
        "__slotnames__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    ]
)
"""Entries of a class that change nothing of what its objects compute."""


def read_class(made: Instance, given: Mapping[str, object]) -> dict[str, object]:
    """Return what a class by value says it computes.

    Args:
        made: What dill's or cloudpickle's maker of classes would get.
        given: Keyword arguments of the constructor, as far as they are plain.

    Returns:
        `parameters` (of the constructor, those with known values), `attributes` (by name, expressions),
        `forward` (an expression over its one parameter, which `takes` names) and
        `python` (the versions whose instructions give this reading); or `unread`, the reason why there is
        no single reading.
    """
    try:
        start, forward = _methods(made, given)
        parameters(start, given)
    except UnreadError as error:
        return {"unread": str(error)}
    readings = [(minor, *_read(start, forward, minor, given)) for minor in _versions(start, forward)]
    known = [(minor, reading) for minor, reading, _ in readings if "unread" not in reading]
    if not known:
        nothing: dict[str, object] = {"unread": "two layouts of code"}
        return max(readings, key=lambda one: one[2], default=(0, nothing, 0))[1]
    if any(reading != known[0][1] for _, reading in known):
        return {"unread": "versions of Python would run it differently"}
    return {**known[0][1], "python": [f"3.{minor}" for minor, _ in known]}


def _methods(made: Instance, given: Mapping[str, object]) -> tuple[Function, Function]:
    """Return `__init__` and `forward` of a class that has nothing else of its own."""
    found = {}
    for name, value in entries(made):
        if name in (START, FORWARD):
            found[name] = function(value, made)
        elif name not in _SILENT:
            raise UnreadError(f"the class has {name} of its own")
    _check_bases(made)
    start, forward = found.get(START), found.get(FORWARD)
    if start is None or forward is None:
        raise UnreadError(f"its {START} or {FORWARD} is not in the file as plain code")
    for name in given:
        if name not in start.parameters[1:]:
            raise UnreadError(f"its {START} takes no keyword {name}")
    if len(forward.parameters) != 2:
        raise UnreadError(f"its {FORWARD} takes more than one value")
    return start, forward


def entries(made: Instance) -> Iterator[tuple[str, object]]:
    """Yield the attributes of a class by value, those set later behind."""
    state = made.state if isinstance(made.state, tuple) else (made.state,)
    for part in (*made.args, *state):
        if isinstance(part, Mapping):
            yield from ((str(name), value) for name, value in part.items())
    yield from ((str(pair[0]), pair[1]) for pair in made.pairs)


def _check_bases(made: Instance) -> None:
    kind, bases = (
        made.args[0] if made.args else None,
        next((arg for arg in made.args if isinstance(arg, tuple)), ()),
    )
    plain = isinstance(kind, ClassRef) and str(kind) in ("builtins.type", "abc.ABCMeta")
    if not plain or len(bases) != 1 or str(bases[0]) not in BASES:
        raise UnreadError("its base is another class than BaseFeaturesExtractor or Module")


def _versions(start: Function, forward: Function) -> list[int]:
    modern = {start.code.modern, forward.code.modern}
    return [minor for minor in OPCODES if modern == {minor >= OLDEST_MODERN}]


def _read(
    start: Function, forward: Function, minor: int, given: Mapping[str, object]
) -> tuple[dict[str, object], int]:
    """Return the reading that one version gives, or the reason for none, and how far it went."""
    attributes: dict[str, Value] = {}
    first = Frame(start, minor, parameters(start, given), attributes, attributes)
    second = Frame(forward, minor, parameters(forward, {}), None, {})
    try:
        follow(first)
        follow(second)
        said = {name: tree(snapshot(value)) for name, value in attributes.items()}
    except UnreadError as error:
        return {"unread": str(error)}, first.steps + second.steps
    result = second.result or Symbol("opaque")
    reading = {
        "parameters": {name: value for name, value in given.items() if const(value) is not OPAQUE}
        | _defaults(start, given),
        "attributes": said,
        "forward": tree(result),
        "takes": forward.parameters[1],
    }
    return reading, first.steps + second.steps


def _defaults(start: Function, given: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of `__init__` that nobody gave and that have a plain default."""
    found = {}
    for name in start.parameters:
        default = start.default(name) if name not in given else None
        if default is not None and default.kind == "const":
            found[name] = default.value
    return found
