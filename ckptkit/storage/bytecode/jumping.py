"""Instructions that go on elsewhere: loops with a known number of rounds, and jumps without a condition."""
# ruff: noqa: D103 - each is named for the instruction that the table at the end gives it

from collections.abc import Callable

from ckptkit.storage.bytecode import calls
from ckptkit.storage.bytecode.frame import Frame, Handler
from ckptkit.storage.bytecode.instructions import Instruction
from ckptkit.storage.bytecode.symbols import Rounds, UnreadError

Jump = Callable[[Frame, Instruction], int | None]
"""Returns the offset where to go on; None for the next instruction."""


def jump_forward(frame: Frame, instruction: Instruction) -> int:
    return instruction.end + _width(frame) * instruction.arg


def jump_back(_: Frame, instruction: Instruction) -> int:
    return instruction.end - 2 * instruction.arg


def jump_to(frame: Frame, instruction: Instruction) -> int:
    return _width(frame) * instruction.arg


def iterate(frame: Frame, _: int) -> None:
    frame.push(calls.rounds(frame.pop()))


def loop(frame: Frame, instruction: Instruction) -> int | None:
    rounds = frame.pop()
    if not isinstance(rounds, Rounds):
        raise UnreadError("how often a loop runs is not in the file")
    if rounds.next < len(rounds.items):
        frame.push(rounds, rounds.items[rounds.next])
        rounds.next += 1
        return None
    target = instruction.end + _width(frame) * instruction.arg
    if frame.minor >= 13:
        # END_FOR, and then what takes the iterator from the stack.
        return target + 4
    return target


def _width(frame: Frame) -> int:
    """Return the bytes that a jump counts in."""
    return 2 if frame.minor >= 10 else 1


JUMPS: dict[str, Jump] = {
    "JUMP_FORWARD": jump_forward,
    "JUMP_BACKWARD": jump_back,
    "JUMP_ABSOLUTE": jump_to,
    "FOR_ITER": loop,
}
HANDLERS: dict[str, Handler] = {"GET_ITER": iterate}
