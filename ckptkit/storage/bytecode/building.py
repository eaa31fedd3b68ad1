"""Instructions that reorder the stack, put values together, and end the function."""
# ruff: noqa: D103 - each is named for the instruction that the table at the end gives it

from ckptkit.storage.bytecode import calls
from ckptkit.storage.bytecode.frame import Frame, Handler
from ckptkit.storage.bytecode.operators import combined, item, negative
from ckptkit.storage.bytecode.symbols import OPAQUE, Listed, Symbol, UnreadError, const, made
from ckptkit.storage.bytecode.values import load_const


def pop_top(frame: Frame, _: int) -> None:
    dropped = frame.pop()
    if isinstance(dropped, Symbol) and not calls.is_bare(dropped):
        what = calls.dotted(dropped.parts[0]) or str(dropped.parts[0].value)
        raise UnreadError(f"{what} is called for its own sake")


def give_back(frame: Frame, _: int) -> None:
    frame.result = made("list", None, [frame.pop()]).parts[0]


def give_constant(frame: Frame, arg: int) -> None:
    load_const(frame, arg)
    give_back(frame, 0)


def swap(frame: Frame, arg: int) -> None:
    values = frame.pops(arg)
    if arg < 2:
        raise UnreadError("the stack is reordered")
    frame.push(values[-1], *values[1:-1], values[0])


def copy(frame: Frame, arg: int) -> None:
    values = frame.pops(arg)
    if not values:
        raise UnreadError("the stack is reordered")
    frame.push(*values, values[0])


def rotate(frame: Frame, arg: int) -> None:
    values = frame.pops(arg)
    frame.push(values[-1], *values[:-1])


def build_tuple(frame: Frame, arg: int) -> None:
    frame.push(made("tuple", None, frame.pops(arg)))


def build_list(frame: Frame, arg: int) -> None:
    frame.push(Listed(frame.pops(arg)))


def build_slice(frame: Frame, arg: int) -> None:
    frame.pops(arg)
    frame.push(OPAQUE)


def list_extend(frame: Frame, arg: int) -> None:
    more = calls.rounds(frame.pop())
    if not 0 < arg <= len(frame.stack):
        raise UnreadError("the stack is empty")
    listed = frame.stack[-arg]
    if not isinstance(listed, Listed):
        raise UnreadError("something that is no list is extended")
    calls.grow(listed, more.items)


def list_to_tuple(frame: Frame, _: int) -> None:
    frame.push(made("tuple", None, calls.rounds(frame.pop()).items))


def intrinsic(frame: Frame, arg: int) -> None:
    if arg != 6:
        raise UnreadError("an operation of the interpreter's own")
    list_to_tuple(frame, 0)


def unpack(frame: Frame, arg: int) -> None:
    value = frame.pop()
    if isinstance(value, Listed) or (isinstance(value, Symbol) and value.kind in ("tuple", "list")):
        items = calls.rounds(value).items
        if len(items) != arg:
            raise UnreadError("as many names as values are needed")
    else:
        items = [item(value, const(index)) for index in range(arg)]
    frame.push(*reversed(items))


def subscript(frame: Frame, _: int) -> None:
    index, value = frame.pop(), frame.pop()
    frame.push(item(value, index))


def binary(frame: Frame, arg: int) -> None:
    right, left = frame.pop(), frame.pop()
    frame.push(combined(arg, left, right))


def negate(frame: Frame, _: int) -> None:
    frame.push(negative(frame.pop()))


HANDLERS: dict[str, Handler] = {
    "POP_TOP": pop_top,
    "RETURN_VALUE": give_back,
    "RETURN_CONST": give_constant,
    "SWAP": swap,
    "COPY": copy,
    "DUP_TOP": lambda frame, _: copy(frame, 1),
    "ROT_TWO": lambda frame, _: rotate(frame, 2),
    "ROT_THREE": lambda frame, _: rotate(frame, 3),
    "BUILD_TUPLE": build_tuple,
    "BUILD_LIST": build_list,
    "BUILD_SLICE": build_slice,
    "LIST_EXTEND": list_extend,
    "LIST_TO_TUPLE": list_to_tuple,
    "CALL_INTRINSIC_1": intrinsic,
    "UNPACK_SEQUENCE": unpack,
    "BINARY_SUBSCR": subscript,
    "BINARY_OP": binary,
    "UNARY_NEGATIVE": negate,
}
