"""A function by value: its code, what its global names stand for, and its parameters' defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.storage.bytecode.layouts import CodeParts, code_parts
from ckptkit.storage.bytecode.symbols import OPAQUE, Symbol, UnreadError, const

_FUNCTIONS = ("_make_function", "_make_skel_func", "_create_function", "FunctionType", "LambdaType")
_CODES = ("CodeType", "_create_code")
_MODULES = ("subimport", "_import_module")
BUILTINS = frozenset(["float", "int", "len", "max", "min", "range", "super"])
"""Names that mean Python's own where a function has no global of that name."""
VARIADIC = 0x04 | 0x08
"""`*args` and `**kwargs`."""
NOT_PLAIN = 0x20 | 0x80 | 0x100 | 0x200
"""Generators and coroutines: calling them runs nothing."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function by value.

    Attributes:
        code: Its code object's fields.
        owner: The class that it stands in.
        globals: Values of its global names; None where the pickle does not hold them.
        defaults: Values of its last positional parameters.
        keyword_defaults: Values of parameters that are given by name.
        closure: What its free variables hold.
    """

    code: CodeParts
    owner: Instance
    globals: Mapping[object, object] | None
    defaults: tuple[object, ...] = ()
    keyword_defaults: Mapping[object, object] = field(default_factory=dict)
    closure: tuple[object, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters that take one value each."""
        return self.code.variables[: self.code.arguments + self.code.keyword_only]

    def default(self, name: str) -> Symbol | None:
        """Return the default of a parameter; None where it has none."""
        if name in self.keyword_defaults:
            return const(self.keyword_defaults[name])
        positional = self.code.variables[: self.code.arguments]
        behind = dict(zip(reversed(positional), reversed(self.defaults), strict=False))
        return const(behind[name]) if name in behind else None

    def named(self, name: str) -> Symbol:
        """Return what a global name stands for.

        Raises:
            UnreadError: The pickle does not say it.
        """
        if self.globals is None:
            raise UnreadError(f"what {name} is, is not in the file")
        if name not in self.globals:
            if name in BUILTINS:
                return Symbol("global", f"builtins.{name}")
            raise UnreadError(f"what {name} is, is not in the file")
        return self._meaning(self.globals[name], name)

    def _meaning(self, value: object, name: str) -> Symbol:
        if value is self.owner:
            return Symbol("class")
        if isinstance(value, ClassRef):
            return Symbol("global", str(value))
        if isinstance(value, Instance) and _name(value) in _MODULES and value.args:
            return Symbol("global", str(value.args[0]))
        found = const(value)
        if found is OPAQUE:
            raise UnreadError(f"{name} is of the file's own")
        return found

    def cell(self, index: int) -> Symbol:
        """Return what a free variable holds.

        Raises:
            UnreadError: The pickle does not say it, or it is of the file's own.
        """
        name = self.code.free[index]
        cell = self.closure[index] if index < len(self.closure) else None
        held = [*cell.args] if isinstance(cell, Instance) else []
        if isinstance(cell, Instance):
            held += [pair[1] for pair in cell.pairs if pair[0] == "cell_contents"]
        if not held:
            raise UnreadError(f"what {name} is, is not in the file")
        return self._meaning(held[-1], name)


def function(value: object, owner: Instance) -> Function | None:
    """Return the function that a pickle would make; None where it is none that can be read."""
    if not isinstance(value, Instance) or _name(value) not in _FUNCTIONS or not value.args:
        return None
    made = value.args[0]
    if not isinstance(made, Instance) or _name(made) not in _CODES:
        return None
    parts = code_parts(tuple(made.args))
    if parts is None or parts.flags & (VARIADIC | NOT_PLAIN):
        return None
    state = _state(value)
    given = dict(enumerate(value.args))
    of_cloudpickle = "__globals__" in state
    known = state.get("__globals__") if of_cloudpickle else given.get(1)
    # dill: code, globals, name, defaults, closure; cloudpickle and CodeType's callers: all but the
    # code and a base of globals come with the state.
    defaults = state.get("__defaults__") if of_cloudpickle else given.get(3)
    closure = state.get("__closure__") if of_cloudpickle else given.get(4)
    keywords = state.get("__kwdefaults__") or state.get("kwdefaults")
    return Function(
        parts,
        owner,
        known if isinstance(known, Mapping) else None,
        defaults if isinstance(defaults, tuple) else (),
        keywords if isinstance(keywords, Mapping) else {},
        closure if isinstance(closure, tuple) else (),
    )


def _state(value: Instance) -> dict[object, object]:
    """Return the attributes that are set behind the making: one mapping, or several in a tuple."""
    parts = value.state if isinstance(value.state, tuple) else (value.state,)
    merged: dict[object, object] = {}
    for part in parts:
        if isinstance(part, Mapping):
            merged |= part
    return merged


def _name(value: Instance) -> str:
    return value.cls.name if isinstance(value.cls, ClassRef) else ""
