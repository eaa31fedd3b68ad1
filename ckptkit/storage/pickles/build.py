"""The BUILD opcode: the state that a pickle sets on an object it has made."""

from ckptkit.model.inert import ClassRef, Instance, NdArray
from ckptkit.storage.pickles.containers import InertDict
from ckptkit.storage.pickles.machine import Machine, Refuse
from ckptkit.storage.pickles.numpy_values import build_array
from ckptkit.storage.pickles.rules import set_state


def build(m: Machine, at: int) -> int:
    """Set the state on top of the stack on the object below it."""
    state = m.stack.pop()
    target = m.stack[-1]
    m.opcode = at - 1
    try:
        _set(m, target, state, at)
    except Refuse as refusal:
        m.refuse(target.cls if isinstance(target, Instance) else target, str(refusal), at - 1)
    return at


def _set(m: Machine, target: object, state: object, at: int) -> None:
    if isinstance(target, Instance):
        entry = m.entries.get(id(target.cls))
        rule = entry.build if entry is not None and entry.build is not None else set_state
        rule(m, target, state)
    elif isinstance(target, NdArray):
        build_array(m, target, state, at)
    elif isinstance(target, InertDict):
        if not isinstance(state, dict) or target.state is not None:
            raise m.malformed(f"a state that no {target.kind} takes", at - 1)
        target.state = state
    elif isinstance(target, ClassRef):
        raise Refuse("its attributes are changed")
    else:
        raise m.malformed(f"a state is set on a {type(target).__name__}", at - 1)
