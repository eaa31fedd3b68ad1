"""Instructions that call, and those around a `with torch.no_grad()`."""
# ruff: noqa: D103 - each is named for the instruction that the table at the end gives it

from ckptkit.storage.bytecode import calls
from ckptkit.storage.bytecode.frame import Frame, Handler
from ckptkit.storage.bytecode.symbols import NULL, Symbol, UnreadError, Value
from ckptkit.storage.bytecode.tables import OLDEST_MODERN
from ckptkit.storage.bytecode.values import load_const

NO_GRADIENTS = frozenset(["torch.no_grad", "torch.inference_mode", "torch.autograd.grad_mode.no_grad"])
_LEAVE = Symbol("leave")
"""What leaves a `with torch.no_grad()`; it changes no value."""


def keywords(frame: Frame, arg: int) -> None:
    load_const(frame, arg)
    frame.keywords = _words(frame.pop())


def call(frame: Frame, arg: int) -> None:
    """A call of 3.11 and later, which has two places below its arguments."""
    args, names = frame.pops(arg), frame.keywords
    frame.keywords = ()
    lower, upper = frame.pops(2)
    if lower is NULL:
        _call(frame, upper, args, names)
    elif upper is NULL:
        _call(frame, lower, args, names)
    else:
        _call(frame, lower, [upper, *args], names)


def call_kw(frame: Frame, arg: int) -> None:
    frame.keywords = _words(frame.pop())
    call(frame, arg)


def call_old(frame: Frame, arg: int) -> None:
    args = frame.pops(arg)
    _call(frame, frame.pop(), args, ())


def call_old_kw(frame: Frame, arg: int) -> None:
    names = _words(frame.pop())
    args = frame.pops(arg)
    _call(frame, frame.pop(), args, names)


def call_unpacked(frame: Frame, arg: int) -> None:
    """A call with `*args`; from 3.14 on a place for `**kwargs` is always there."""
    if frame.minor >= 14:
        if frame.pop() is not NULL:
            raise UnreadError("a call with **keywords")
    elif arg & 1:
        raise UnreadError("a call with **keywords")
    args = calls.rounds(frame.pop()).items
    if frame.minor < OLDEST_MODERN:
        _call(frame, frame.pop(), args, ())
        return
    frame.push(*args)
    call(frame, len(args))


def enter(frame: Frame, _: int) -> None:
    _no_gradients(frame.pop())
    frame.push(_LEAVE, calls.NONE)


def special(frame: Frame, arg: int) -> None:
    """`__enter__` and `__exit__` of 3.14, each with the place of a `self`."""
    _no_gradients(frame.pop())
    if arg not in (0, 1):
        raise UnreadError("an asynchronous with")
    frame.push(_LEAVE, NULL)


def begin_finally(frame: Frame, _: int) -> None:
    """3.8: the block has ended without an exception, and what leaves it follows."""
    frame.push(calls.NONE)


def leave_old(frame: Frame, _: int) -> None:
    none, leave = frame.pop(), frame.pop()
    if none is not calls.NONE or leave is not _LEAVE:
        raise UnreadError("a with statement ends where none began")


def _words(value: Value) -> tuple[str, ...]:
    parts = value.parts if isinstance(value, Symbol) and value.kind == "tuple" else ()
    words = tuple(str(part.value) for part in parts if isinstance(part.value, str))
    if not parts or len(words) != len(parts):
        raise UnreadError("keywords of a call are missing")
    return words


def _call(frame: Frame, callee: Value, args: list[Value], names: tuple[str, ...]) -> None:
    if callee is _LEAVE:
        frame.push(calls.NONE)
        return
    if len(names) > len(args):
        raise UnreadError("a call has more keywords than arguments")
    frame.push(calls.call(callee, args, names, frame.own))


def _no_gradients(value: Value) -> None:
    found = isinstance(value, Symbol) and value.kind == "call" and len(value.parts) == 1
    if not found or not isinstance(value, Symbol) or calls.dotted(value.parts[0]) not in NO_GRADIENTS:
        raise UnreadError("what a with statement does is not known")


HANDLERS: dict[str, Handler] = {
    "KW_NAMES": keywords,
    "PUSH_NULL": lambda frame, _: frame.push(NULL),
    "CALL": call,
    "CALL_KW": call_kw,
    "CALL_FUNCTION": call_old,
    "CALL_METHOD": call_old,
    "CALL_FUNCTION_KW": call_old_kw,
    "CALL_FUNCTION_EX": call_unpacked,
    "BEFORE_WITH": enter,
    "SETUP_WITH": enter,
    "LOAD_SPECIAL": special,
    "BEGIN_FINALLY": begin_finally,
    "END_FINALLY": leave_old,
}
