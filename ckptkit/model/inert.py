"""Values that a pickle describes and ckptkit refuses to bring to life.

Plain data (None, bool, int, float, complex, str, bytes, list, tuple, dict, set) becomes
itself; tensors become `Tensor`; everything else becomes one of these descriptions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ClassRef:
    """A class or function named by reference; it was not imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Instance:
    """An object that a pickle would have made by calling `cls`.

    Attributes:
        cls: The class or callable; an `Instance` where the pickle makes the class by value.
        args: Positional arguments of the call.
        kwargs: Keyword arguments (`NEWOBJ_EX` only).
        state: What BUILD gave: the instance's `__dict__` or what `__setstate__` would get.
        items: What APPEND(S) added to it.
        pairs: What SETITEM(S) added to it, in order.
    """

    cls: "ClassRef | Instance"
    args: Sequence[object] = ()
    kwargs: dict[str, object] = field(default_factory=dict)
    state: object = None
    items: list[object] = field(default_factory=list)
    pairs: list[tuple[object, object]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class NdArray:
    """A numpy array as bytes.

    Attributes:
        dtype: numpy type string with byte order, such as `<f4`, `|b1`, `<U3`.
        shape: Row-major shape.
        data: Elements in row-major order, little-endian.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class CodeFact(NamedTuple):
    """Something executable that a file carries or asks for, seen and not run.

    Attributes:
        kind: `code` (a code object), `class` (a class by value), `function` (a function by
            value), `instance` (of a class outside the allow-list), `reference` (a class outside
            the allow-list, named only).
        name: Qualified name where the pickle says it.
        where: Member and field, such as `data:lr_schedule` or `policy.pth`.
        names: Global and attribute names that the code uses.
        constants: Its constants that are plain data, as text.
    """

    kind: str
    name: str
    where: str
    names: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()


class GlobalUse(NamedTuple):
    """A global that a pickle names.

    Attributes:
        module: Module as written, Python 2 names canonicalised.
        name: Qualified name inside the module.
        where: Member or field of the file.
        offset: Byte offset of the opcode inside that pickle.
        allowed: Whether the policy allows it in the way it is used.
        why: Reason in a few words.
    """

    module: str
    name: str
    where: str
    offset: int
    allowed: bool
    why: str
