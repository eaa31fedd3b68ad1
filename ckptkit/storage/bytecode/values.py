"""Instructions that put values on the stack and take them off to names and attributes."""
# ruff: noqa: D103 - each is named for the instruction that the table at the end gives it

from ckptkit.storage.bytecode import calls
from ckptkit.storage.bytecode.frame import Frame, Handler, name_of
from ckptkit.storage.bytecode.symbols import NULL, Listed, Method, Symbol, UnreadError, Value, const, made
from ckptkit.storage.bytecode.tables import OLDEST_MODERN


def load_const(frame: Frame, arg: int) -> None:
    constants = frame.function.code.constants
    if arg >= len(constants):
        raise UnreadError("a constant is missing")
    frame.push(const(constants[arg]))


def load_small(frame: Frame, arg: int) -> None:
    frame.push(const(arg))


def load_fast(frame: Frame, arg: int) -> None:
    name = name_of(frame.fast, arg)
    if name not in frame.locals:
        raise UnreadError(f"{name} is used before it is set")
    frame.push(frame.locals[name])


def load_two(frame: Frame, arg: int) -> None:
    load_fast(frame, arg >> 4)
    load_fast(frame, arg & 15)


def store_fast(frame: Frame, arg: int) -> None:
    frame.locals[name_of(frame.fast, arg)] = frame.pop()


def store_load(frame: Frame, arg: int) -> None:
    store_fast(frame, arg >> 4)
    load_fast(frame, arg & 15)


def store_two(frame: Frame, arg: int) -> None:
    store_fast(frame, arg >> 4)
    store_fast(frame, arg & 15)


def load_deref(frame: Frame, arg: int) -> None:
    name = name_of(frame.deep, arg)
    if name not in frame.function.code.free:
        raise UnreadError(f"{name} is shared with an inner function")
    frame.push(frame.function.cell(frame.function.code.free.index(name)))


def load_global(frame: Frame, arg: int) -> None:
    modern = frame.minor >= OLDEST_MODERN
    found = frame.function.named(name_of(frame.function.code.names, arg >> 1 if modern else arg))
    null = [NULL] if modern and arg & 1 else []
    frame.push(*([*null, found] if frame.minor < 13 else [found, *null]))


def load_attr(frame: Frame, arg: int) -> None:
    bound = frame.minor >= 12 and arg & 1
    name = name_of(frame.function.code.names, arg >> 1 if frame.minor >= 12 else arg)
    found = _attribute(frame, frame.pop(), name)
    frame.push(*_callable(frame, found) if bound else [found])


def load_method(frame: Frame, arg: int) -> None:
    found = _attribute(frame, frame.pop(), name_of(frame.function.code.names, arg))
    frame.push(*_callable(frame, found) if frame.minor >= OLDEST_MODERN else [found])


def load_super(frame: Frame, arg: int) -> None:
    """`super().NAME` in one instruction, from 3.12 on."""
    asked = frame.pops(3)
    of = calls.call(asked[0], asked[1:], (), frame.own)
    found = _attribute(frame, of, name_of(frame.function.code.names, arg >> 2))
    frame.push(*_callable(frame, found) if arg & 1 else [found])


def store_attr(frame: Frame, arg: int) -> None:
    value = frame.pops(2)
    owner = value[1]
    if not isinstance(owner, Symbol) or owner.kind != "self" or frame.own is None:
        raise UnreadError("an attribute of something else than self is set")
    name = name_of(frame.function.code.names, arg)
    if name in frame.attributes:
        raise UnreadError(f"self.{name} is set twice")
    frame.attributes[name] = value[0]


def _callable(frame: Frame, found: Value) -> list[Value]:
    """Return what a call of 3.11 and later takes below its arguments: the callee and no `self`."""
    return [NULL, found] if frame.minor < 13 else [found, NULL]


def _attribute(frame: Frame, value: Value, name: str) -> Value:
    if isinstance(value, Listed):
        return Method(value, name)
    if not isinstance(value, Symbol):
        raise UnreadError("an attribute of a method or an iterator")
    if value.kind == "self" and frame.own is not None and name in frame.attributes:
        held = frame.attributes[name]
        if isinstance(held, Listed):
            return held
    return made("attr", name, (value,))


HANDLERS: dict[str, Handler] = {
    "LOAD_CONST": load_const,
    "LOAD_SMALL_INT": load_small,
    "LOAD_FAST": load_fast,
    "LOAD_FAST_CHECK": load_fast,
    "LOAD_FAST_BORROW": load_fast,
    "LOAD_FAST_LOAD_FAST": load_two,
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": load_two,
    "STORE_FAST": store_fast,
    "STORE_FAST_LOAD_FAST": store_load,
    "STORE_FAST_STORE_FAST": store_two,
    "LOAD_DEREF": load_deref,
    "LOAD_GLOBAL": load_global,
    "LOAD_ATTR": load_attr,
    "LOAD_METHOD": load_method,
    "LOAD_SUPER_ATTR": load_super,
    "STORE_ATTR": store_attr,
}
