"""Rules that several tables of the allow-list share."""
# ruff: noqa: ARG001 - every rule has the same signature

from ckptkit.model.inert import ClassRef, CodeFact, Instance
from ckptkit.storage.pickles.machine import Entry, Machine, Refuse

_PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray)


def words(text: str) -> tuple[str, ...]:
    """Return the words of `text`; tables of names are easier to read and to compare that way."""
    return tuple(text.split())


def describe(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """Describe a call whatever its arguments are: they are inert, and so is the result."""
    return Instance(ref, args)


def describe_bare(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """Describe an instance that is made without arguments."""
    if args:
        raise Refuse("gets arguments where an instance never takes any")
    return Instance(ref, ())


def describe_plain(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """Describe a call whose arguments are single plain values."""
    if not all(isinstance(arg, _PLAIN) for arg in args):
        raise Refuse("gets an argument that is no plain value")
    return Instance(ref, args)


def member(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """Describe an enum member by its value."""
    if len(args) != 1 or not isinstance(args[0], int | str | tuple):
        raise Refuse("gets something that is no value of an enum member")
    return Instance(ref, args)


def reconstruct(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`copyreg._reconstructor(cls, base, state)`: how protocols 0 and 1 make an instance."""
    match args:
        case (ClassRef() as cls, ClassRef(module="builtins", name="object"), None):
            return new_bare(m, cls)
        case (ClassRef(), ClassRef() as base, _):
            raise Refuse(f"makes a subclass of {base}, or gives a plain object a state")
    raise Refuse("gets something else than a class, its base and a state")


def new_bare(m: Machine, cls: ClassRef) -> object:
    """Make an instance of `cls` without arguments, as the policy allows it."""
    entry = m.entries.get(id(cls))
    if entry is None or entry.new is None:
        raise Refuse(f"makes an instance of {cls}")
    return entry.new(m, cls, ())


def third_party(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> Instance:
    """Describe an instance of a class that only outside code can give."""
    if args:
        raise Refuse("a class outside the allow-list gets arguments")
    m.fact(CodeFact("instance", str(ref), m.where), code=True)
    return Instance(ref, ())


def plain_state(m: Machine, instance: Instance, state: object) -> None:
    """Take the state of an instance where it is one that Python itself would set."""
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    if not all(isinstance(part, dict | None) for part in parts):
        raise Refuse("gets a state that only its own code could take")
    set_state(m, instance, state)


def set_state(m: Machine, instance: Instance, state: object) -> None:
    """Set the state of an instance; a second one is added to the first."""
    if instance.state is None:
        instance.state = state
    elif isinstance(instance.state, dict) and isinstance(state, dict):
        m.spend(8 * (len(instance.state) + len(state)))
        instance.state = instance.state | state
    else:
        raise Refuse("gets a second state")


REFERENCE = Entry("named, never called")
"""A class or function that may only be named."""
NAMES = Entry("a module's names, which dill gives to functions by value")
"""A module's dictionary."""
BARE = Entry("described, never made", new=describe_bare, build=plain_state)
"""A class whose instances are described."""
DESCRIBED = Entry("described, never called", call=describe, new=describe)
"""A callable whose calls and instances are described, whatever they get."""
MEMBER = Entry("enum member, described", call=member)
"""An enumeration."""
