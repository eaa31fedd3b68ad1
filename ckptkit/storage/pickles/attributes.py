"""The attribute look-ups (`getattr`) that picklers write; everything else that is looked up is forbidden."""

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.storage.pickles.allow_rl import static_method
from ckptkit.storage.pickles.machine import Machine, Refuse
from ckptkit.storage.pickles.rules import BARE, MEMBER, words

_CLASS_MAKERS = ("_create_type", "_make_skeleton_class", "_make_skeleton_enum", "_create_namedtuple")
METHODS = words(
    "__new__ __init__ __repr__ __str__ __hash__ __eq__ __format__ __reduce_ex__ __or__ __and__ __xor__ "
    "__ror__ __rand__ __rxor__ __invert__ __setattr__ __getattribute__ __dir__ _generate_next_value_ "
    "from_bytes fromkeys"
)
"""Methods of allowed classes that classes by value refer to."""
METHOD_MODULES = ("builtins", "enum", "collections")
"""Modules of those classes."""


VALUES: dict[tuple[str, str], object] = {
    ("TrainFrequencyUnit", "STEP"): "step",
    ("TrainFrequencyUnit", "EPISODE"): "episode",
    ("GoalSelectionStrategy", "FUTURE"): 0,
    ("GoalSelectionStrategy", "FINAL"): 1,
    ("GoalSelectionStrategy", "EPISODE"): 2,
}
"""Values of the enumerations of Stable-Baselines3 2.9, by class and member."""


def attribute(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`getattr(owner, name[, default])` as enums, methods, torch functions and dill are pickled."""
    match args:
        case (ClassRef() as owner, str(name)) if name.isidentifier():
            return _of_class(m, ref, owner, name)
        case (Instance() as owner, str(name)) if name.isidentifier() and not name.startswith("__"):
            return _of_object(m, ref, owner, name)
        case (
            ClassRef(module="dill" | "dill._shims", name="_dill"),
            "_setattr" | "_delattr" as name,
            ClassRef(module="builtins", name="setattr" | "delattr"),
        ):
            return m.name("builtins", name[1:], m.opcode)
    raise Refuse("looks up an attribute")


def _of_class(m: Machine, ref: ClassRef, owner: ClassRef, name: str) -> object:
    if (owner.module, owner.name) == ("torch._C", "_VariableFunctionsClass"):
        return m.name("torch", name, m.opcode)
    dotted = f"{owner.name}.{name}"
    entry = m.entries.get(id(owner))
    if entry is MEMBER:
        # Early releases of Python 3.11 (3.11.2, say) pickle a member by its name, others by its value.
        return Instance(owner, (VALUES.get((owner.name, name), name),))
    if static_method(owner.module, dotted) or dotted == "RandomNumberGenerator._generator_ctor":
        return m.name(owner.module, dotted, m.opcode)
    method = entry is BARE and not name.startswith("__")
    if method or (name in METHODS and owner.module in METHOD_MODULES):
        return Instance(ref, (owner, name))
    raise Refuse("looks up an attribute")


def _of_object(m: Machine, ref: ClassRef, owner: Instance, name: str) -> Instance:
    """Describe a method bound to a described object, or to what the pickle makes by value."""
    if made_by_value(owner):
        m.has_code = True
    elif m.entries.get(id(owner.cls)) is not BARE:
        raise Refuse("looks up an attribute")
    return Instance(ref, (owner, name))


def made_by_value(value: Instance) -> bool:
    """Whether a value is a class by value, or an instance of one."""
    maker = value.cls if isinstance(value.cls, ClassRef) else value.cls.cls
    return isinstance(maker, ClassRef) and maker.name in _CLASS_MAKERS
