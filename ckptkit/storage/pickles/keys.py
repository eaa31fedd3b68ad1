"""Which values may be dictionary keys and set elements.

Hashing runs over a whole tuple, so nested tuples that share their parts could keep it busy for
ever; and integers beyond a machine word can be chosen to collide.
"""

from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.tensor import Tensor
from ckptkit.storage.pickles import limits
from ckptkit.storage.pickles.machine import Machine
from ckptkit.storage.pickles.torch_values import TypedStorage

_SIMPLE = (str, float, bytes, type(None), complex, ClassRef, Instance, Tensor, TypedStorage)


def check_key(m: Machine, key: object, at: int) -> None:
    """Refuse a key that Python could not hash, or not in bounded time.

    Raises:
        UnreadableCheckpointError: The key is mutable, or an integer beyond 64 bits.
        LimitExceededError: A tuple or frozenset of too many nodes.
    """
    nodes = 0
    waiting = [key]
    while waiting:
        value = waiting.pop()
        nodes += 1
        if isinstance(value, tuple | frozenset):
            if len(value) + nodes > limits.MAX_KEY_NODES:
                raise m.over("a key of too many parts", at)
            m.spend(len(value))
            waiting.extend(value)
        elif isinstance(value, int):
            if not -(1 << 63) <= value < 1 << 64:
                raise m.malformed("an integer key beyond 64 bits", at)
        elif not isinstance(value, _SIMPLE):
            raise m.malformed(f"a {type(value).__name__} cannot be a key", at)
