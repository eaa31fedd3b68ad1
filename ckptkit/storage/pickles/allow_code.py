"""What makes code: cloudpickle's and dill's constructors, described and reported, never called.

Source: cloudpickle 0.5 to 3.1 (`cloudpickle.cloudpickle`, `cloudpickle.cloudpickle_fast`), dill 0.2.8 to 0.4
(`dill._dill`). dill's `_create_filehandle`, `_create_capsule` and `_unmarshal` stay forbidden.
"""
# ruff: noqa: ARG001 - every rule has the same signature

import re

from ckptkit.model.inert import ClassRef, CodeFact, Instance
from ckptkit.storage.pickles import limits
from ckptkit.storage.pickles.code_objects import code_fact
from ckptkit.storage.pickles.machine import Entry, Machine, Refuse
from ckptkit.storage.pickles.rules import BARE, NAMES, REFERENCE, describe, describe_plain, new_bare, words

_TYPES = {
    "ClassType": ("builtins", "type"),
    "EllipsisType": ("builtins", "Ellipsis"),
    "ItemGetterType": ("operator", "itemgetter"),
    "LambdaType": ("types", "FunctionType"),
    "NotImplementedType": ("builtins", "NotImplemented"),
    "ObjectType": ("builtins", "object"),
    "PartialType": ("functools", "partial"),
    "SuperType": ("builtins", "super"),
    "TypeType": ("builtins", "type"),
}
"""Types that picklers call by a name which is not the type's own."""
_REPRS = re.compile(
    r"(range|slice)\((-?[0-9]{1,18}|None)(?:, (-?[0-9]{1,18}|None))?(?:, (-?[0-9]{1,18}|None))?\)"
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
    """`_builtin_type("CodeType")`, `_load_type("int")`: the policy judges the type they name."""
    match args:
        case (str(name),) if name in _TYPES:
            return m.name(*_TYPES[name], m.opcode)
        case (str(name),) if name.isidentifier():
            named_type = name.endswith("Type") or name in ("GenericAlias", "SimpleNamespace")
            return m.name("types" if named_type else "builtins", name, m.opcode)
    raise Refuse("gets something that is no type's name")


def _constant(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`_eval_repr("range(0, 3)")`: dill evaluates it; here only constants of this form have a value."""
    match args:
        case ("Ellipsis" | "NotImplemented" as name,):
            return m.name("builtins", name, m.opcode)
        case (str(text),) if found := _REPRS.fullmatch(text):
            numbers = (None if part in (None, "None") else int(part) for part in found.groups()[1:])
            return Instance(m.name("builtins", found[1], m.opcode), tuple(numbers))
    raise Refuse("evaluates text")


def _instance(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    if len(args) != 1 or not isinstance(args[0], ClassRef):
        raise Refuse("gets something that is no class")
    return new_bare(m, args[0])


def _attribute(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> ClassRef:
    """`_get_attr(_import_module("math"), "cos")`: the policy judges what the two name together."""
    match args:
        case (
            Instance(cls=ClassRef(module="dill._dill", name="_import_module"), args=(str(module), *_)),
            str(name),
        ):
            return m.name(*m.canonical(module, name), m.opcode)
    raise Refuse("looks up an attribute")


def _indexes(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """`itemgetter(0)`, a field of a named tuple."""
    if len(args) != 1 or type(args[0]) is not int:
        raise Refuse("gets something that is no index")
    return Instance(ref, args)


_CODE = Entry("code object, never made", call=_code)
_FUNCTION = Entry("function by value, never made", call=_function)
_CLASS = Entry("class by value, never made", call=_class)
_STATE = Entry("state of code by value, never set", call=_state)
_PART = Entry("part of code by value, never made", call=_part, new=_part)
_DATACLASS = Entry("part of a class by value, never made", new=_part)
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
    "_eval_repr": Entry("constant by its text", call=_constant),
    "_import_module": _MODULE,
    "_load_type": _TYPE,
    "_setitems": _STATE,
}

_TYPE_NAMES = words(
    "AsyncGeneratorType BuiltinFunctionType BuiltinMethodType ClassMethodDescriptorType CoroutineType "
    "DynamicClassAttribute FrameType GeneratorType GetSetDescriptorType MemberDescriptorType "
    "MethodDescriptorType MethodWrapperType TracebackType UnionType WrapperDescriptorType"
)

_DATACLASS_NAMES = words(
    "FrozenInstanceError Field InitVar KW_ONLY MISSING asdict astuple dataclass field fields "
    "is_dataclass make_dataclass replace _ATOMIC_TYPES _DataclassParams _FIELD _FIELD_BASE "
    "_FIELD_CLASSVAR _FIELD_INITVAR _HAS_DEFAULT_FACTORY _HAS_DEFAULT_FACTORY_CLASS _InitVarMeta "
    "_KW_ONLY_TYPE _MISSING_TYPE _add_slots _asdict_inner _astuple_inner _cmp_fn _create_fn "
    "_dataclass_getstate _dataclass_setstate _field_assign _field_init _fields_in_init_order "
    "_frozen_get_del_attr _get_field _get_slots _hash_add _hash_exception _hash_fn _hash_set_none "
    "_init_fn _init_param _is_classvar _is_dataclass_instance _is_initvar _is_kw_only _is_type "
    "_process_class _recursive_repr _replace _repr_fn _set_new_attribute _set_qualname _tuple_str"
)

ALLOWED: dict[tuple[str, str], Entry] = {
    **{("cloudpickle.cloudpickle", name): entry for name, entry in _CLOUDPICKLE.items()},
    **{("dill._dill", name): entry for name, entry in _DILL.items()},
    ("dill", "_dill"): REFERENCE,
    ("dill._shims", "_dill"): REFERENCE,
    ("types", "CodeType"): _CODE,
    ("types", "FunctionType"): _FUNCTION,
    ("types", "LambdaType"): _FUNCTION,
    ("types", "MethodType"): _PART,
    ("types", "CellType"): _PART,
    ("types", "ModuleType"): _MODULE,
    ("types", "MappingProxyType"): _PART,
    **{("types", name): REFERENCE for name in _TYPE_NAMES},
    ("types", "new_class"): _CLASS,
    ("builtins", "property"): _PART,
    ("builtins", "classmethod"): _PART,
    ("builtins", "staticmethod"): _PART,
    ("weakref", "WeakSet"): _PART,
    ("weakref", "WeakKeyDictionary"): _PART,
    ("weakref", "WeakValueDictionary"): _PART,
    **{("dataclasses", name): _DATACLASS for name in _DATACLASS_NAMES},
    ("_thread", "get_ident"): REFERENCE,
    ("collections", "_tuplegetter"): _PART,
    ("builtins", "__main__"): NAMES,
    ("operator", "itemgetter"): Entry("part of a class by value", call=_indexes),
    ("re", "_compile"): Entry("pattern, described", call=describe_plain),
    ("typing", "TypeVar"): _PART,
    ("_frozen_importlib", "ModuleSpec"): BARE,
    ("_frozen_importlib_external", "SourceFileLoader"): BARE,
}
"""What makers of code may do, by canonical module and name."""
