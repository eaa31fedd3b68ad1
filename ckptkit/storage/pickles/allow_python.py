"""The standard library's part of the allow-list: plain containers, types by name, inert values.

Source: CPython 3.6 to 3.14 (`copyreg`, `enum`, `types`, `typing`, `datetime`, `pathlib`).
"""
# ruff: noqa: ARG001 - every rule has the same signature

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.storage.pickles import names_python as names
from ckptkit.storage.pickles.attributes import attribute
from ckptkit.storage.pickles.containers import InertDict, InertList
from ckptkit.storage.pickles.keys import check_key
from ckptkit.storage.pickles.machine import Entry, Machine, Refuse
from ckptkit.storage.pickles.nested import look_inside
from ckptkit.storage.pickles.rules import (
    BARE,
    DESCRIBED,
    REFERENCE,
    describe,
    describe_plain,
    reconstruct,
)


def _ordered(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> InertDict:
    """`OrderedDict()`, or with one list of pairs as Python 2 wrote it."""
    value = InertDict()
    if ref.name != value.kind:
        value.kind = ref.name
    if args:
        _fill(m, value, args)
    return value


def _fill(m: Machine, value: InertDict, args: tuple[object, ...]) -> None:
    if len(args) != 1 or not isinstance(args[0], dict | list | tuple):
        raise Refuse("gets something else than pairs")
    m.spend(8 * len(args[0]))
    pairs = args[0].items() if isinstance(args[0], dict) else args[0]
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise Refuse("gets something else than pairs")
        check_key(m, pair[0], m.opcode)
        value[pair[0]] = pair[1]


def _defaultdict(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> InertDict:
    """`defaultdict(factory)`: the factory is kept and never called."""
    if len(args) > 1:
        raise Refuse("gets more than a factory")
    value = InertDict()
    value.kind, value.factory = ref.name, args[0] if args else None
    return value


def _deque(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> InertList:
    """`deque([], maxlen)`; the items are appended to it."""
    items, maxlen = (*args, None, None)[:2] if len(args) <= 2 else (0, 0)
    items = () if items is None else items
    if not isinstance(items, list | tuple) or not (maxlen is None or (type(maxlen) is int and maxlen >= 0)):
        raise Refuse("gets something else than items and a length")
    m.spend(8 * len(items))
    value = InertList(items)
    value.maxlen = maxlen
    return value


def _encode(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> bytes:
    """`_codecs.encode(text, "latin1")`: how protocols 0 to 2 write bytes."""
    match args:
        case (str(text), "latin1" | "latin-1"):
            try:
                value = text.encode("latin1")
            except UnicodeEncodeError:
                raise Refuse("gets text that is no Latin-1") from None
            m.spend(len(value))
            look_inside(m, value, m.opcode)
            return value
    raise Refuse("encodes to something else than Latin-1")


def _bytes(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> bytes | bytearray:
    """`bytes()`, `bytearray(b"…")`, `bytearray("…", "latin-1")`."""
    match args:
        case ():
            value = b""
        case (bytes() | bytearray() as data,):
            value = bytes(data)
        case (str(), str()):
            value = _encode(m, ref, args)
        case (list(items),) if all(type(item) is int and 0 <= item < 256 for item in items):
            value = bytes(items)
        case _:
            raise Refuse("gets something else than bytes")
    m.spend(len(value))
    look_inside(m, value, m.opcode)
    return bytearray(value) if ref.name == "bytearray" else value


def _set(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> set[object] | frozenset[object]:
    """`set([…])`, `frozenset([…])`."""
    if len(args) > 1 or not all(isinstance(arg, list | tuple | set | frozenset) for arg in args):
        raise Refuse("gets something else than elements")
    items = list(args[0]) if args and isinstance(args[0], list | tuple | set | frozenset) else []
    m.spend(8 * len(items))
    for item in items:
        check_key(m, item, m.opcode)
    return frozenset(items) if ref.name == "frozenset" else set(items)


def _complex(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> complex:
    """`complex(real, imag)`."""
    match args:
        case (float() as real, float() as imag):
            return complex(real, imag)
    raise Refuse("gets something else than two floats")


def _range(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`range(start, stop, step)`, `slice(start, stop, step)`."""
    if not 1 <= len(args) <= 3 or not all(arg is None or type(arg) is int for arg in args):
        raise Refuse("gets something else than integers")
    return Instance(ref, args)


def _type(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> ClassRef:
    """`type(None)`, `type(NotImplemented)`, `type(...)`: how their classes are written."""
    match args:
        case (None,):
            return m.name("types", "NoneType", m.opcode)
        case (ClassRef(module="builtins", name="NotImplemented" | "Ellipsis") as constant,):
            return constant
    raise Refuse("gets something else than None")


def _object(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    if args:
        raise Refuse("gets arguments")
    return Instance(ref)


def _setattr(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> None:
    """What dill sets afterwards: a cell's contents, a class's qualified name."""
    match args:
        case (Instance(cls=ClassRef(module="dill._dill" | "types")) as target, str(name), value):
            target.pairs.append((name, value))
            return
    raise Refuse("sets an attribute")


def _getitem(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`operator.getitem(typing.Union, (…))`: a type hint."""
    match args:
        case (ClassRef(module="typing" | "builtins" | "collections.abc" | "collections"), _):
            return Instance(ref, args)
    raise Refuse("gets an item of something else than a type hint")


def _union(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`functools.reduce(operator.or_, (int, str))`: the type hint `int | str`."""
    match args:
        case (ClassRef(module="_operator" | "operator", name="or_"), tuple(parts)):
            if all(isinstance(part, ClassRef | Instance | None) for part in parts):
                return Instance(ref, args)
    raise Refuse("folds something else than a type hint")


def _partial(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`functools.partial(function)`: nothing is called until someone calls the result."""
    if len(args) != 1 or not isinstance(args[0], ClassRef | Instance):
        raise Refuse("gets something else than a function")
    return Instance(ref, args)


ALLOWED: dict[tuple[str, str], Entry] = {
    **{("builtins", name): REFERENCE for name in (*names.BUILTINS, *names.ERRORS)},
    **{("typing", name): REFERENCE for name in names.TYPING},
    **{("collections.abc", name): REFERENCE for name in names.ABSTRACT},
    **{("math", name): REFERENCE for name in names.MATH},
    **{("pathlib", name): Entry("path, described", call=describe_plain) for name in names.PATHS},
    **{("datetime", name): Entry("time, described", call=describe) for name in names.TIMES},
    **{("abc", name): REFERENCE for name in ("ABC", "ABCMeta", "abstractmethod")},
    **{
        ("enum", name): REFERENCE
        for name in ("Enum", "EnumMeta", "EnumType", "Flag", "IntEnum", "IntFlag", "StrEnum")
    },
    **{("copy", name): REFERENCE for name in ("copy", "deepcopy")},
    **{("itertools", name): REFERENCE for name in ("chain", "product", "repeat", "count", "cycle", "islice")},
    ("collections", "OrderedDict"): Entry("mapping", call=_ordered, new=_ordered),
    ("collections", "defaultdict"): Entry("mapping", call=_defaultdict),
    ("collections", "Counter"): Entry("mapping", call=_ordered),
    ("collections", "deque"): Entry("list", call=_deque),
    ("collections", "namedtuple"): REFERENCE,
    ("collections", "UserDict"): BARE,
    ("collections", "UserList"): BARE,
    ("builtins", "bytes"): Entry("bytes", call=_bytes),
    ("builtins", "bytearray"): Entry("bytes", call=_bytes),
    ("builtins", "set"): Entry("set", call=_set),
    ("builtins", "frozenset"): Entry("set", call=_set),
    ("builtins", "complex"): Entry("number", call=_complex),
    ("builtins", "range"): Entry("range, described", call=_range),
    ("builtins", "slice"): Entry("slice, described", call=_range),
    ("builtins", "object"): Entry("object, described", call=_object, new=_object),
    ("builtins", "type"): Entry("class of None", call=_type),
    ("builtins", "getattr"): Entry("attribute look-up of a pickler", call=attribute),
    ("builtins", "setattr"): Entry("what dill sets afterwards", call=_setattr),
    ("types", "NoneType"): REFERENCE,
    ("types", "SimpleNamespace"): Entry("namespace, described", call=_object, new=_object),
    ("types", "GenericAlias"): Entry("type hint, described", call=describe),
    ("_codecs", "encode"): Entry("bytes", call=_encode),
    ("copyreg", "_reconstructor"): Entry("instance, described", call=reconstruct),
    ("operator", "getitem"): Entry("type hint, described", call=_getitem),
    ("_operator", "getitem"): Entry("type hint, described", call=_getitem),
    ("operator", "or_"): REFERENCE,
    ("_operator", "or_"): REFERENCE,
    ("functools", "reduce"): Entry("type hint, described", call=_union),
    ("functools", "partial"): Entry("function, described", call=_partial),
    ("argparse", "Namespace"): Entry("namespace, described", call=_object, new=_object),
    ("decimal", "Decimal"): Entry("number, described", call=describe_plain),
    ("fractions", "Fraction"): Entry("number, described", call=describe_plain),
    ("uuid", "UUID"): BARE,
    ("uuid", "SafeUUID"): DESCRIBED,
    ("array", "array"): REFERENCE,
}
"""What the standard library's globals may do, by canonical module and name."""
