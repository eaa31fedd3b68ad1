"""Divide bytecode into instructions."""

from dataclasses import dataclass

from ckptkit.storage.bytecode.tables import OLDEST_MODERN, OPCODES

CACHE, EXTENDED = "CACHE", "EXTENDED_ARG"
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its argument put together.

    Attributes:
        name: As CPython calls it; `?` where it is none that is followed.
        arg: Its argument.
        start: Offset of its first byte, prefixes included.
        end: Offset behind it and its inline caches, from which jumps count.
    """

    name: str
    arg: int
    start: int
    end: int


def decode(code: bytes, minor: int) -> list[Instruction]:
    """Return the instructions of bytecode, as Python 3.`minor` would number them."""
    names, found = OPCODES[minor], list[Instruction]()
    start, extended = 0, 0
    for offset in range(0, len(code) - 1, 2):
        name = names.get(code[offset], UNKNOWN)
        if name == EXTENDED:
            extended = (extended | code[offset + 1]) << 8
            continue
        if name == CACHE and minor >= OLDEST_MODERN and found:
            last = found[-1]
            found[-1] = Instruction(last.name, last.arg, last.start, offset + 2)
        else:
            found.append(Instruction(name, extended | code[offset + 1], start, offset + 2))
        start, extended = offset + 2, 0
    return found
