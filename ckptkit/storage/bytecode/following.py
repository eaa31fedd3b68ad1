"""Follow a function's instructions over symbols, as far as they leave one possible reading."""

from ckptkit.storage.bytecode import building, invoking, jumping, values
from ckptkit.storage.bytecode.frame import Frame
from ckptkit.storage.bytecode.instructions import Instruction, decode
from ckptkit.storage.bytecode.operators import SYMBOLS, combined
from ckptkit.storage.bytecode.symbols import UnreadError

MAX_STEPS = 20_000
SKIPPED = frozenset(
    [
        "COPY_FREE_VARS",
        "END_FOR",
        "NOP",
        "NOT_TAKEN",
        "POP_BLOCK",
        "PRECALL",
        "RESUME",
        "WITH_CLEANUP_FINISH",
        "WITH_CLEANUP_START",
    ]
)
"""Instructions that change no value."""
_HANDLERS = {**values.HANDLERS, **building.HANDLERS, **invoking.HANDLERS, **jumping.HANDLERS}


def follow(frame: Frame) -> None:
    """Follow the instructions until the function returns.

    Raises:
        UnreadError: Something is not understood for certain.
    """
    code = decode(frame.function.code.code, frame.minor)
    starts = {instruction.start: index for index, instruction in enumerate(code)}
    place = 0
    for frame.steps in range(MAX_STEPS):
        if frame.result is not None:
            return
        if place >= len(code):
            raise UnreadError("the code ends before it returns")
        target = _step(frame, code[place])
        if target is None:
            place += 1
        elif target in starts:
            place = starts[target]
        else:
            raise UnreadError("a jump leads nowhere")
    raise UnreadError("the code takes too many steps")


def _step(frame: Frame, instruction: Instruction) -> int | None:
    """Follow one instruction; return where to go on where that is not the next."""
    name = instruction.name
    if name in SKIPPED:
        return None
    if name in jumping.JUMPS:
        return jumping.JUMPS[name](frame, instruction)
    if name in SYMBOLS:
        right, left = frame.pop(), frame.pop()
        frame.push(combined(SYMBOLS[name], left, right))
        return None
    if name not in _HANDLERS:
        raise UnreadError(f"the instruction at byte {instruction.start} is not followed")
    _HANDLERS[name](frame, instruction.arg)
    return None
