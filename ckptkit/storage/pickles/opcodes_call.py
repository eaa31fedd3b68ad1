"""Opcodes that name a global, or would call one: the policy decides what inert value they give.

Source: CPython 3.14, `Lib/pickletools.py` and `Lib/pickle.py`.
"""

from ckptkit.model.inert import ClassRef, CodeFact, Instance
from ckptkit.storage.pickles.build import build
from ckptkit.storage.pickles.machine import Entry, Machine, Refuse
from ckptkit.storage.pickles.opcodes_data import Opcode, line, text
from ckptkit.storage.pickles.opcodes_stack import pop_mark


def _global_text(m: Machine, at: int) -> int:
    module, middle = line(m, at)
    name, end = line(m, middle)
    m.stack.append(m.name(*m.canonical(text(m, module, at), text(m, name, middle)), at - 1))
    return end


def _stack_global(m: Machine, at: int) -> int:
    name = m.stack.pop()
    module = m.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise m.malformed("a global whose name is not text", at - 1)
    m.stack.append(m.name(*m.canonical(module, name), at - 1))
    return at


def extension(width: int) -> Opcode:
    """Make the handler of EXT1, EXT2 or EXT4: codes of a registry that the file does not hold."""

    def push(m: Machine, at: int) -> int:
        code = int.from_bytes(m.data[at : at + width], "little")
        ref = ClassRef("copyreg", f"extension_{code}")
        m.sight(
            ref, at - 1, Entry("a code of the extension registry, which can name anything", allowed=False)
        )
        m.stack.append(ref)
        return at + width

    return push


def call(m: Machine, target: object, args: object, at: int) -> object:
    """Return the inert value of calling `target`."""
    m.made += 288
    m.opcode = at - 1
    entry = m.entries.get(id(target))
    if type(args) is not tuple:
        raise m.malformed("arguments that are no tuple", at - 1)
    if isinstance(target, Instance) and _is_enum_value(target, args):
        return Instance(target, args)
    if entry is None or entry.call is None or not isinstance(target, ClassRef):
        m.refuse(target, "may not be called", at - 1)
        return described(target, args)
    try:
        return entry.call(m, target, args)
    except Refuse as refusal:
        m.refuse(target, str(refusal), at - 1)
        return Instance(target, args)


def _is_enum_value(target: Instance, args: tuple[object, ...]) -> bool:
    """Whether a call is that of an enumeration by value with a value of one of its members."""
    made = isinstance(target.cls, ClassRef) and target.cls.name == "_make_skeleton_enum"
    return made and len(args) == 1 and isinstance(args[0], int | float | str | bytes | tuple | None)


def described(target: object, args: tuple[object, ...]) -> Instance:
    """Return a description of a call to something that is no class by name."""
    if isinstance(target, ClassRef | Instance):
        return Instance(target, args)
    return Instance(ClassRef("builtins", type(target).__name__), args)


def instantiate(m: Machine, target: object, args: object, at: int) -> object:
    """Return the inert value of `target.__new__(target, *args)`."""
    m.made += 288
    m.opcode = at - 1
    if type(args) is not tuple:
        raise m.malformed("arguments that are no tuple", at - 1)
    if isinstance(target, Instance):
        return _by_value(m, target, args, at)
    entry = m.entries.get(id(target))
    if entry is None or entry.new is None or not isinstance(target, ClassRef):
        m.refuse(target, "may not be instantiated", at - 1)
        return described(target, args)
    try:
        return entry.new(m, target, args)
    except Refuse as refusal:
        m.refuse(target, str(refusal), at - 1)
        return Instance(target, args)


def _by_value(m: Machine, target: Instance, args: tuple[object, ...], at: int) -> Instance:
    """Describe an instance of a class that the pickle makes itself."""
    if args:
        m.refuse(target, "a class by value gets arguments", at - 1)
    m.fact(CodeFact("instance", class_name(target), m.where), code=True)
    return Instance(target, args)


def class_name(target: Instance) -> str:
    """Return the name of a class by value, as far as the pickle says it."""
    return next((arg for arg in target.args if isinstance(arg, str)), str(target.cls))


def _reduce(m: Machine, at: int) -> int:
    stack = m.stack
    args = stack.pop()
    stack[-1] = call(m, stack[-1], args, at)
    return at


def _newobj(m: Machine, at: int) -> int:
    stack = m.stack
    args = stack.pop()
    stack[-1] = instantiate(m, stack[-1], args, at)
    return at


def _newobj_ex(m: Machine, at: int) -> int:
    stack = m.stack
    kwargs = stack.pop()
    args = stack.pop()
    if not isinstance(kwargs, dict) or not all(isinstance(key, str) for key in kwargs):
        raise m.malformed("keyword arguments that are none", at - 1)
    target = stack[-1]
    made = instantiate(m, target, args, at)
    if kwargs:
        m.refuse(target, "gets keyword arguments", at - 1)
        made = described(target, args if isinstance(args, tuple) else ())
        made.kwargs.update(kwargs)
    stack[-1] = made
    return at


def _inst(m: Machine, at: int) -> int:
    module, middle = line(m, at)
    name, end = line(m, middle)
    args = pop_mark(m)
    ref = m.name(*m.canonical(text(m, module, at), text(m, name, middle)), at - 1)
    m.stack.append(call(m, ref, tuple(args), at))
    return end


def _obj(m: Machine, at: int) -> int:
    args = pop_mark(m)
    if not args:
        raise m.malformed("OBJ without a class", at - 1)
    m.stack.append(call(m, args[0], tuple(args[1:]), at))
    return at


CALL_OPCODES: dict[bytes, Opcode] = {
    b"c": _global_text,
    b"\x93": _stack_global,
    b"\x82": extension(1),
    b"\x83": extension(2),
    b"\x84": extension(4),
    b"R": _reduce,
    b"\x81": _newobj,
    b"\x92": _newobj_ex,
    b"b": build,
    b"i": _inst,
    b"o": _obj,
}
"""Handlers by opcode byte."""
