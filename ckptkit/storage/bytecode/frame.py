"""What is known at one place of a function that is followed."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ckptkit.model.inert import ClassRef
from ckptkit.storage.bytecode.functions import Function
from ckptkit.storage.bytecode.symbols import Symbol, UnreadError, Value, const
from ckptkit.storage.bytecode.tables import OLDEST_MODERN

MAX_STACK = 1_000


@dataclass(slots=True)
class Frame:
    """A function while it is followed.

    Attributes:
        function: Which one.
        minor: Minor version of the Python 3 whose instructions they are taken for.
        locals: Values of parameters and local variables.
        own: Attributes of `self` that may be called; None for any.
        attributes: What was set on `self`.
        stack: Values that wait for an instruction.
        keywords: Of the call that comes next.
        result: What it returns.
        steps: Instructions followed so far.
    """

    function: Function
    minor: int
    locals: dict[str, Value]
    own: Collection[str] | None
    attributes: dict[str, Value]
    stack: list[Value] = field(default_factory=list)
    keywords: tuple[str, ...] = ()
    result: Symbol | None = None
    steps: int = 0

    @property
    def fast(self) -> tuple[str, ...]:
        """Variables as `LOAD_FAST` numbers them."""
        return self._all if self.minor >= OLDEST_MODERN else self.function.code.variables

    @property
    def deep(self) -> tuple[str, ...]:
        """Variables as `LOAD_DEREF` numbers them."""
        code = self.function.code
        return self._all if self.minor >= OLDEST_MODERN else (*code.cells, *code.free)

    @property
    def _all(self) -> tuple[str, ...]:
        code = self.function.code
        hidden = tuple(name for name in code.cells if name not in code.variables)
        return (*code.variables, *hidden, *code.free)

    def push(self, *values: Value) -> None:
        """Put values on the stack."""
        if len(self.stack) + len(values) > MAX_STACK:
            raise UnreadError("the stack grows too deep")
        self.stack.extend(values)

    def pop(self) -> Value:
        """Take the topmost value."""
        return self.pops(1)[0]

    def pops(self, count: int) -> list[Value]:
        """Take several values, in the order in which they were put."""
        if count > len(self.stack):
            raise UnreadError("the stack is empty")
        first = len(self.stack) - count
        taken = self.stack[first:]
        del self.stack[first:]
        return taken


Handler = Callable[[Frame, int], None]
"""Does what one instruction with this argument does."""


def name_of(names: tuple[str, ...], index: int) -> str:
    """Return a name by its number."""
    if index >= len(names):
        raise UnreadError("a name is missing")
    return names[index]


def parameters(function: Function, given: Mapping[str, object]) -> dict[str, Value]:
    """Return a method's parameters: `self`, those whose value is `given` or a default, and the rest."""
    found: dict[str, Value] = {}
    for index, name in enumerate(function.parameters):
        default = function.default(name)
        if not index:
            found[name] = Symbol("self")
        elif name in given:
            value = given[name]
            found[name] = Symbol("global", str(value)) if isinstance(value, ClassRef) else const(value)
        else:
            found[name] = default if default is not None else Symbol("param", name)
    return found
