"""Pickles read by a machine of our own, which gives inert values and runs nothing.

Values are those of `model.inert`; tensors are lazy. What the stream names is judged by an allow-list
(`policy`); the verdict, the globals and the code seen are facts of the result and never raised, unless
the stream breaks as well.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ckptkit.errors import CkptkitError, UnsafeCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import CodeFact, GlobalUse
from ckptkit.storage.pickles.embedded import outer_depth
from ckptkit.storage.pickles.machine import Machine
from ckptkit.storage.pickles.opcodes import TABLE
from ckptkit.storage.pickles.policy import canonical, entry_for
from ckptkit.storage.pickles.trees import check_tree

__all__ = ["Examined", "Pickle", "examine", "load"]


@dataclass(frozen=True, slots=True)
class Pickle:
    """One pickle stream, read.

    Attributes:
        root: Its value: plain data, `Tensor`s, and descriptions of everything else.
        end: Offset in `data` just behind its STOP.
        verdict: `DATA_ONLY`, `CONTAINS_CODE` or `UNSAFE`.
        globals: Each global that it names, once, at its first place; those of pickles inside it follow.
        code: Executable things that it carries or asks for.
    """

    root: object
    end: int
    verdict: Verdict
    globals: tuple[GlobalUse, ...]
    code: tuple[CodeFact, ...]

    def at(self, place: str) -> "Pickle":
        """Return the same pickle, read at no place in particular, as what lies at `place`."""
        uses = [
            GlobalUse(u.module, u.name, place + u.where, u.offset, u.allowed, u.why) for u in self.globals
        ]
        code = [fact._replace(where=place + fact.where) for fact in self.code]
        return Pickle(self.root, self.end, self.verdict, tuple(uses), tuple(code))


@dataclass(frozen=True, slots=True)
class Examined:
    """One pickle stream, as far as it could be read.

    Attributes:
        pickle: Its facts; where it breaks, its value is None and `end` the place of the last opcode.
        problem: What breaks it; None where it is whole.
    """

    pickle: Pickle
    problem: CkptkitError | None


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python's cycle collector from looking through the growing tree again and again.

    It finds nothing there, and takes half the time of a stream of many tensors.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def load(
    data: bytes,
    *,
    where: str,
    start: int = 0,
    persistent: Callable[[object], object] | None = None,
    depth: int = 0,
) -> Pickle:
    """Read the pickle stream at `start`; nothing that it names is imported or called.

    Plain trees in the result are acyclic and bounded (`trees`).

    Args:
        data: Bytes that hold the stream; more may follow it.
        where: What messages and facts call the stream.
        start: Offset of its first opcode.
        persistent: Gives the value of a persistent id, a `TypedStorage` for torch's; None where
            a persistent id breaks the format.
        depth: How many pickles it lies in.

    Raises:
        UnreadableCheckpointError: The stream breaks its format's rules; the message has the byte offset.
        LimitExceededError: It is over a bound (`limits`).
        UnsafeCheckpointError: It breaks after it has asked for something forbidden.
    """
    machine = _machine(data, where, start, persistent, depth)
    end = _run(machine)
    return Pickle(machine.root, end, machine.verdict, tuple(machine.uses()), machine.code_facts())


def examine(
    data: bytes, *, where: str, start: int = 0, persistent: Callable[[object], object] | None = None
) -> Examined:
    """Read the pickle stream at `start` as `load` does, and say what it names even where it breaks.

    Args:
        data: Bytes that hold the stream; more may follow it.
        where: What messages and facts call the stream.
        start: Offset of its first opcode.
        persistent: As for `load`.
    """
    machine = _machine(data, where, start, persistent, 0)
    problem: CkptkitError | None = None
    try:
        end = _run(machine)
    except UnsafeCheckpointError as error:
        cause = error.__cause__
        problem, end = cause if isinstance(cause, CkptkitError) else error, machine.opcode
    except CkptkitError as error:
        problem, end = error, machine.opcode
    root = machine.root if problem is None else None
    facts = Pickle(root, end, machine.verdict, tuple(machine.uses()), machine.code_facts())
    return Examined(facts, problem)


def _machine(
    data: bytes, where: str, start: int, persistent: Callable[[object], object] | None, depth: int
) -> Machine:
    return Machine(data, where, entry_for, canonical, start, persistent, max(depth, outer_depth.get()))


def _run(machine: Machine) -> int:
    with _collector_paused():
        end = machine.run(TABLE)
        machine.guard(lambda: check_tree(machine.root, machine.where, end - machine.start, machine.room))
        machine.memo.clear()  # most of it was steps on the way, which the collector would look at
    return end
