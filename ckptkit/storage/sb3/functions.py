"""What a function by value says of itself: its name, its free variables, what its cells hold.

cloudpickle describes a function in two ways: before 1.3 as `_fill_function(_make_skel_func(code, …),
state)`, later as a bare function whose state is set apart, `(attributes, slots)`. A code object's
arguments differ between Python versions, but the last two are always the names of its free and
cell variables, and its bytecode is the only bytes before them besides tables that follow it.
Sources: cloudpickle 1.2.2 and 3.1.2, `cloudpickle.py`; CPython 3.7 to 3.14, `Objects/codeobject.c`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ckptkit.model.inert import ClassRef, Instance

_MAKERS = ("FunctionType", "LambdaType", "_make_function", "_make_skel_func", "_create_function")
_CELLS = ("_make_cell", "_create_cell", "CellType")


@dataclass(frozen=True, slots=True)
class Function:
    """A function by value, as far as its pickle says.

    Attributes:
        module: `__module__`.
        name: `__qualname__`, else the plain name.
        code: Its bytecode.
        constants: Constants of its code.
        names: Global and attribute names that its code uses.
        cells: What its free variables hold, by name; inert values.
    """

    module: str
    name: str
    code: bytes
    constants: tuple[object, ...]
    names: tuple[str, ...]
    cells: Mapping[str, object]


def function(value: object) -> Function | None:
    """Return what `value` says as a function by value; None where it is none."""
    state: object = None
    if isinstance(value, Instance) and _maker(value) == "_fill_function" and len(value.args) >= 2:
        state = value.args[-1]
        value = value.args[0]
    if not isinstance(value, Instance) or _maker(value) not in _MAKERS or not value.args:
        return None
    code = value.args[0]
    if not isinstance(code, Instance) or len(code.args) < 12:
        return None
    return _function(code.args, _slots(value.state if state is None else state), value.args)


def _maker(value: object) -> str:
    """Return the name of what would be called; `_builtin_type('CodeType')` counts as `CodeType`."""
    cls = value.cls if isinstance(value, Instance) else None
    if isinstance(cls, Instance):
        return next((arg for arg in cls.args if isinstance(arg, str)), "")
    return cls.name if isinstance(cls, ClassRef) else ""


def _slots(state: object) -> Mapping[object, object]:
    """Return a function's attributes without the underscores that newer releases write."""
    if isinstance(state, tuple) and len(state) == 2:
        state = state[1]
    if not isinstance(state, Mapping):
        return {}
    return {str(key).strip("_"): value for key, value in state.items()}


def _function(code: Sequence[object], slots: Mapping[object, object], args: Sequence[object]) -> Function:
    tuples = [item for item in code if isinstance(item, tuple)]
    free = tuple(str(name) for name in tuples[-2]) if len(tuples) >= 2 else ()
    constants, names = (tuples[0], tuples[1]) if len(tuples) >= 4 else ((), ())
    held = slots.get("closure") or slots.get("closure_values") or (args[4] if len(args) > 4 else ())
    cells = [_content(cell) for cell in held] if isinstance(held, list | tuple) else []
    return Function(
        str(slots.get("module", "")),
        str(slots.get("qualname") or slots.get("name") or ""),
        next((item for item in code if isinstance(item, bytes)), b""),
        tuple(constants),
        tuple(str(name) for name in names),
        dict(zip(free, cells, strict=False)),
    )


def _content(cell: object) -> object:
    """Return what a cell holds; old releases list the contents themselves."""
    if isinstance(cell, Instance) and _maker(cell) in _CELLS:
        return cell.args[0] if cell.args else None
    return cell
