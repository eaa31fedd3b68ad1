"""What makes code: cloudpickle's and dill's constructors, described and reported, never called.

Source: cloudpickle 0.5 to 3.1 (`cloudpickle.cloudpickle`, `cloudpickle.cloudpickle_fast`), dill 0.2.8 to 0.4
(`dill._dill`). dill's `_create_filehandle`, `_create_capsule`, `_eval_repr` and `_unmarshal` stay forbidden.
"""
# ruff: noqa: ARG001 - every rule has the same signature

from ckptkit.model.inert import ClassRef, CodeFact, Instance
from ckptkit.storage.pickles import limits
from ckptkit.storage.pickles.code_objects import code_fact
from ckptkit.storage.pickles.machine import Entry, Machine, Refuse
from ckptkit.storage.pickles.rules import REFERENCE, describe, new_bare, words

_TYPES = {
    "BuiltinFunctionType": "BuiltinFunctionType",
    "CellType": "CellType",
    "ClassType": "type",
    "CodeType": "CodeType",
    "EllipsisType": "Ellipsis",
    "FunctionType": "FunctionType",
    "GeneratorType": "GeneratorType",
    "LambdaType": "FunctionType",
    "MappingProxyType": "MappingProxyType",
    "MethodType": "MethodType",
    "ModuleType": "ModuleType",
    "NoneType": "NoneType",
    "NotImplementedType": "NotImplemented",
}
_DILL_TYPES = words(
    "bool bytes bytearray complex dict float frozenset int list object range set slice str tuple type"
)


def _code(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    m.coded += 1
    if m.coded > limits.MAX_CODE_OBJECTS:
        raise m.over(f"more than {limits.MAX_CODE_OBJECTS:,} code objects", m.opcode)
    fact = code_fact(args, m.where)
    if fact is None:
        raise Refuse("gets something that makes no code object")
    m.fact(fact, code=True)
    return Instance(ref, args)


def _function(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """A function from a code object, which has to be one that the pickle made."""
    code = args[0] if args else None
    if not isinstance(code, Instance):
        raise Refuse("gets something that is no code object")
    m.fact(CodeFact("function", _function_name(code, args), m.where), code=True)
    return Instance(ref, args)


def _function_name(code: Instance, args: tuple[object, ...]) -> str:
    if len(args) > 2 and isinstance(args[2], str):
        return args[2]
    fact = code_fact(tuple(code.args), "")
    return fact.name if fact is not None else ""


def _class(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """A class by value: `(metaclass, name, bases, attributes, …)`."""
    name = next((arg for arg in args if isinstance(arg, str)), None)
    if name is None:
        raise Refuse("gets something that makes no class")
    m.fact(CodeFact("class", name, m.where), code=True)
    return Instance(ref, args)


def _state(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`_function_setstate(function, state)` and its like: the state is kept beside the object."""
    if len(args) < 2 or not isinstance(args[0], Instance):
        raise Refuse("sets the state of something that the pickle did not make")
    m.has_code = True
    args[0].state = args[1] if len(args) == 2 else args[1:]
    return args[0]


def _part(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """A part of a function or class: a cell, a property, a type variable."""
    m.has_code = True
    return Instance(ref, args)


def _module(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """A module by name, as functions by value use it."""
    if not args or not isinstance(args[0], str):
        raise Refuse("gets something that is no module name")
    m.fact(CodeFact("reference", args[0], m.where), code=True)
    return Instance(ref, args)


def _type_by_name(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> ClassRef:
    """`_builtin_type("CodeType")`, `_load_type("int")`."""
    match args:
        case (str(name),) if name in _TYPES:
            plain = _TYPES[name] in ("type", "Ellipsis", "NotImplemented")
            return m.name("builtins" if plain else "types", _TYPES[name], m.start)
        case (str(name),) if name in _DILL_TYPES:
            return m.name("builtins", name, m.start)
    raise Refuse("gets something that is no known type")


def _instance(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    if len(args) != 1 or not isinstance(args[0], ClassRef):
        raise Refuse("gets something that is no class")
    return new_bare(m, args[0])


def _attribute(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """An attribute of a module or class by name, which only dill's own objects have here."""
    match args:
        case (Instance() | ClassRef(), str(name), *_) if name.isidentifier():
            m.has_code = True
            return Instance(ref, args)
    raise Refuse("looks up an attribute")


_CODE = Entry("code object, never made", call=_code)
_FUNCTION = Entry("function by value, never made", call=_function)
_CLASS = Entry("class by value, never made", call=_class)
_STATE = Entry("state of code by value, never set", call=_state)
_PART = Entry("part of code by value, never made", call=_part)
_MODULE = Entry("module by name, never imported", call=_module)
_TYPE = Entry("type by name", call=_type_by_name)

_CLOUDPICKLE = {
    "_make_function": _FUNCTION,
    "_make_skel_func": _FUNCTION,
    "_fill_function": _STATE,
    "_function_setstate": _STATE,
    "_class_setstate": _STATE,
    "_rehydrate_skeleton_class": _STATE,
    "_make_skeleton_class": _CLASS,
    "_make_skeleton_enum": _CLASS,
    "_make_cell": _PART,
    "_make_empty_cell": _PART,
    "_cell_set": _STATE,
    "_empty_cell_value": REFERENCE,
    "_make_typevar": _PART,
    "_create_parametrized_type_hint": _PART,
    "_make_dict_keys": _PART,
    "_make_dict_values": _PART,
    "_make_dict_items": _PART,
    "_get_dataclass_field_type_sentinel": _PART,
    "_builtin_type": _TYPE,
    "_gen_ellipsis": Entry("constant", call=describe),
    "_gen_not_implemented": Entry("constant", call=describe),
    "instance": Entry("instance, described", call=_instance),
    "subimport": _MODULE,
    "dynamic_subimport": _MODULE,
}
_DILL = {
    "_create_function": _FUNCTION,
    "_create_code": _CODE,
    "_create_type": _CLASS,
    "_create_namedtuple": _CLASS,
    "_create_cell": _PART,
    "_create_ftype": _PART,
    "_create_typing_tuple": _PART,
    "_create_dtypemeta": _PART,
    "_create_weakref": _PART,
    "_create_weakproxy": _PART,
    "_create_dictproxy": _PART,
    "_dictproxy": _PART,
    "_get_attr": Entry("attribute by name, never looked up", call=_attribute),
    "_getattribute": Entry("attribute by name, never looked up", call=_attribute),
    "_import_module": _MODULE,
    "_load_type": _TYPE,
    "_setitems": _STATE,
}

ALLOWED: dict[tuple[str, str], Entry] = {
    **{("cloudpickle.cloudpickle", name): entry for name, entry in _CLOUDPICKLE.items()},
    **{("dill._dill", name): entry for name, entry in _DILL.items()},
    ("dill", "_dill"): REFERENCE,
    ("types", "CodeType"): _CODE,
    ("types", "FunctionType"): _FUNCTION,
    ("types", "LambdaType"): _FUNCTION,
    ("types", "MethodType"): _PART,
    ("types", "CellType"): _PART,
    ("types", "ModuleType"): _MODULE,
    ("types", "MappingProxyType"): _PART,
    ("types", "GeneratorType"): REFERENCE,
    ("types", "BuiltinFunctionType"): REFERENCE,
    ("types", "new_class"): _CLASS,
    ("builtins", "property"): _PART,
    ("builtins", "classmethod"): _PART,
    ("builtins", "staticmethod"): _PART,
    ("weakref", "WeakSet"): _PART,
    ("weakref", "WeakKeyDictionary"): _PART,
    ("weakref", "WeakValueDictionary"): _PART,
    ("dataclasses", "Field"): Entry("part of a class by value", new=_part),
    ("dataclasses", "_DataclassParams"): Entry("part of a class by value", new=_part),
    ("dataclasses", "MISSING"): REFERENCE,
    ("dataclasses", "_MISSING_TYPE"): Entry("part of a class by value", new=_part),
    ("dataclasses", "_HAS_DEFAULT_FACTORY_CLASS"): Entry("part of a class by value", new=_part),
}
"""What makers of code may do, by canonical module and name."""
