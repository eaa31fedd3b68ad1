"""Opcodes that move values: stack, marks and containers.

Source: CPython 3.14, `Lib/pickletools.py`.
"""

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.storage.pickles.keys import check_key
from ckptkit.storage.pickles.machine import Machine
from ckptkit.storage.pickles.opcodes_data import Opcode


def mark(m: Machine, at: int) -> int:
    """Begin a new stack above the one there is."""
    m.marks.append(m.stack)
    m.stack = []
    return at


def pop_mark(m: Machine) -> list[object]:
    """Return the values above the last mark and take it away."""
    items = m.stack
    m.stack = m.marks.pop()
    return items


def _pop(m: Machine, at: int) -> int:
    if m.stack:
        m.stack.pop()
    else:
        pop_mark(m)
    return at


def _pop_to_mark(m: Machine, at: int) -> int:
    pop_mark(m)
    return at


def _dup(m: Machine, at: int) -> int:
    m.stack.append(m.stack[-1])
    return at


def _stop(m: Machine, at: int) -> int:
    m.root = m.stack.pop()
    if m.stack or m.marks:
        raise m.malformed("values are left on the stack at STOP", at - 1)
    if m.framed and at != m.limit:
        raise m.malformed("STOP stands before the end of its frame", at - 1)
    m.done = True
    m.limit = at
    return at


def _empty_tuple(m: Machine, at: int) -> int:
    m.stack.append(())
    return at


def _empty_list(m: Machine, at: int) -> int:
    m.made += 64
    m.stack.append([])
    return at


def _empty_dict(m: Machine, at: int) -> int:
    m.made += 64
    m.stack.append({})
    return at


def _empty_set(m: Machine, at: int) -> int:
    m.made += 224
    m.stack.append(set())
    return at


def _tuple1(m: Machine, at: int) -> int:
    m.made += 64
    m.stack[-1] = (m.stack[-1],)
    return at


def _tuple2(m: Machine, at: int) -> int:
    m.made += 64
    stack = m.stack
    second = stack.pop()
    stack[-1] = (stack[-1], second)
    return at


def _tuple3(m: Machine, at: int) -> int:
    m.made += 64
    stack = m.stack
    third = stack.pop()
    second = stack.pop()
    stack[-1] = (stack[-1], second, third)
    return at


def _tuple_mark(m: Machine, at: int) -> int:
    m.made += 64
    items = m.stack
    m.stack = m.marks.pop()
    m.stack.append(tuple(items))
    return at


def _list_mark(m: Machine, at: int) -> int:
    m.made += 64
    items = pop_mark(m)
    m.stack.append(items)
    return at


def _dict_mark(m: Machine, at: int) -> int:
    m.made += 64
    items = pop_mark(m)
    value: dict[object, object] = {}
    m.stack.append(value)
    _set_items(m, value, items, at)
    return at


def _frozenset_mark(m: Machine, at: int) -> int:
    items = pop_mark(m)
    m.charge(224 + 64 * len(items), at)
    for item in items:
        check_key(m, item, at)
    m.stack.append(frozenset(items))
    return at


def _append(m: Machine, at: int) -> int:
    value = m.stack.pop()
    _extend(m, m.stack[-1], [value], at)
    return at


def _appends(m: Machine, at: int) -> int:
    items = pop_mark(m)
    _extend(m, m.stack[-1], items, at)
    return at


def _extend(m: Machine, target: object, items: list[object], at: int) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Instance):
        target.items.extend(items)
    elif isinstance(target, ClassRef):
        m.refuse(target, "its items are changed", at - 1)
    else:
        raise m.malformed(f"items are appended to a {type(target).__name__}", at - 1)


def _setitem(m: Machine, at: int) -> int:
    stack = m.stack
    value = stack.pop()
    key = stack.pop()
    _set_items(m, stack[-1], [key, value], at)
    return at


def _setitems(m: Machine, at: int) -> int:
    items = m.stack
    m.stack = m.marks.pop()
    _set_items(m, m.stack[-1], items, at)
    return at


def _set_items(m: Machine, target: object, items: list[object], at: int) -> None:
    keys = items[::2]
    if len(items) % 2:
        raise m.malformed("a key without its value", at - 1)
    if isinstance(target, dict):
        for key in keys:
            if type(key) is not str:
                check_key(m, key, at)
        m.made += 64 * len(keys)
        target.update(zip(keys, items[1::2], strict=True))
    elif isinstance(target, Instance):
        m.made += 64 * len(keys)
        target.pairs.extend(zip(keys, items[1::2], strict=True))
    elif isinstance(target, ClassRef):
        m.refuse(target, "its items are changed", at - 1)
    else:
        raise m.malformed(f"items are set in a {type(target).__name__}", at - 1)


def _additems(m: Machine, at: int) -> int:
    items = pop_mark(m)
    target = m.stack[-1]
    if isinstance(target, set):
        for item in items:
            check_key(m, item, at)
        m.made += 64 * len(items)
        target.update(items)
    elif isinstance(target, Instance):
        target.items.extend(items)
    else:
        raise m.malformed(f"elements are added to a {type(target).__name__}", at - 1)
    return at


STACK_OPCODES: dict[bytes, Opcode] = {
    b"(": mark,
    b"0": _pop,
    b"1": _pop_to_mark,
    b"2": _dup,
    b".": _stop,
    b")": _empty_tuple,
    b"]": _empty_list,
    b"}": _empty_dict,
    b"\x8f": _empty_set,
    b"\x85": _tuple1,
    b"\x86": _tuple2,
    b"\x87": _tuple3,
    b"t": _tuple_mark,
    b"l": _list_mark,
    b"d": _dict_mark,
    b"\x91": _frozenset_mark,
    b"a": _append,
    b"e": _appends,
    b"s": _setitem,
    b"u": _setitems,
    b"\x90": _additems,
}
"""Handlers by opcode byte."""
