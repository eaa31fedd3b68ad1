"""The machine that reads one pickle stream: stack, memo, bounds, and what it saw on the way.

It imports nothing that a stream names and calls nothing that a stream gives. A handler takes the
machine and the offset behind its opcode byte, and returns the offset behind its arguments.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ckptkit.errors import CkptkitError, LimitExceededError, UnreadableCheckpointError, UnsafeCheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, CodeFact, GlobalUse, Instance
from ckptkit.storage.pickles import limits

Persistent = Callable[[object], object]


class Refuse(Exception):  # noqa: N818 - it steers the machine and never leaves it
    """A rule's answer to arguments that its callable never takes in a checkpoint."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the policy allows one global to do.

    Attributes:
        why: Reason in a few words.
        allowed: Whether it may be named at all.
        call: Rule for REDUCE; None where it may not be called.
        new: Rule for NEWOBJ; None where it may not be instantiated.
        build: Rule for BUILD; None where any state may be set on an instance.
        reference: Whether naming it is worth a code fact (a class of some third party).
    """

    why: str
    allowed: bool = True
    call: "Rule | None" = None
    new: "Rule | None" = None
    build: "BuildRule | None" = None
    reference: bool = False


Rule = Callable[["Machine", ClassRef, tuple[object, ...]], object]
"""Gives the inert value of a call, or raises `Refuse`."""
BuildRule = Callable[["Machine", Instance, object], None]
"""Sets the state of an instance, or raises `Refuse`."""


@dataclass(slots=True)
class Sight:
    """One global as the stream used it so far."""

    offset: int
    allowed: bool
    why: str


@dataclass(slots=True, eq=False, repr=False)
class Machine:
    """The state of one run over one stream.

    Attributes:
        data: Bytes that hold the stream.
        where: What messages call them.
        lookup: The policy: what a global, by canonical module and name, may do.
        canonical: Gives one spelling of a module and name for all that mean the same.
        start: Offset of the stream's first opcode.
        persistent: Turns a persistent id into a value; None where the stream may hold none.
        depth: How many pickles this one lies in.
        limit: End of the frame that is open, else of the data.
        framed: Whether a frame is open.
        stack: Values above the last mark.
        marks: The stacks below each open mark.
        memo: Values by memo key; `MISSING` at a key that was skipped.
        skipped: How many keys were.
        root: What STOP returned.
        done: Whether STOP was reached.
        made: Bytes of memory that values made so far take, by estimate.
        sure: Bytes of which that is no question, whatever else the stream holds.
        storages: Storages referred to so far, by identity.
        entries: What the policy says, by identity of the reference.
    """

    data: bytes
    where: str
    lookup: Callable[[str, str], Entry]
    canonical: Callable[[str, str], tuple[str, str]]
    start: int = 0
    persistent: Persistent | None = None
    depth: int = 0
    limit: int = 0
    framed: bool = False
    stack: list[object] = field(default_factory=list)
    marks: list[list[object]] = field(default_factory=list)
    memo: list[object] = field(default_factory=list)
    skipped: int = 0
    root: object = None
    done: bool = False
    made: int = 0
    sure: int = 0
    storages: set[int] = field(default_factory=set)
    entries: dict[int, Entry] = field(default_factory=dict)
    refs: dict[tuple[str, str], ClassRef] = field(default_factory=dict)
    sights: dict[tuple[str, str], Sight] = field(default_factory=dict)
    facts: dict[CodeFact, None] = field(default_factory=dict)
    nested: list[GlobalUse] = field(default_factory=list)
    unsafe: str = ""
    has_code: bool = False
    spent: int = 0
    looked: int = 0
    coded: int = 0
    opcodes: int = 0
    opcode: int = 0

    def run(self, table: list[Callable[["Machine", int], int]]) -> int:
        """Run the stream to its STOP; return the offset behind it.

        Args:
            table: The handler of each opcode byte.

        Raises:
            UnreadableCheckpointError: The stream breaks the rules of its format.
            LimitExceededError: It is over a bound.
            UnsafeCheckpointError: It breaks after it has asked for something forbidden.
        """
        self.limit = len(self.data)
        self.sure = self.room - 8 * self.limit
        position = self.start
        try:
            while not self.done:
                position = self._run_piece(table, position)
        except IndexError:
            what = "truncated, or the stack is empty where a value is needed"
            broken = self.malformed(what, self.opcode)
            raise self._finish(broken) from broken
        except UnsafeCheckpointError:
            raise
        except CkptkitError as error:
            raise self._finish(error) from error
        return position

    def _run_piece(self, table: list[Callable[["Machine", int], int]], position: int) -> int:
        """Run until a frame ends or `CHECK_EVERY` opcodes are done; then look at the bounds."""
        data = self.data
        try:
            for _ in _PIECE:
                position = table[data[position]](self, position + 1)
                if position >= self.limit:
                    break
        except (IndexError, CkptkitError):
            self.opcode = position
            raise
        if not self.done:
            self._check(position)
        return position

    def _check(self, position: int) -> None:
        if position > self.limit:
            raise self.malformed("an opcode's argument crosses the end of its frame or of the data", position)
        if position == len(self.data):
            raise self.malformed("truncated: no STOP opcode", position)
        if position == self.limit:
            self.limit, self.framed = len(self.data), False
        self.opcodes += limits.CHECK_EVERY
        bounds = (
            ("opcodes", min(self.opcodes, position - self.start), limits.MAX_OPCODES),
            ("values on the stack", len(self.stack), limits.MAX_STACK),
            ("open marks", len(self.marks), limits.MAX_MARKS),
        )
        for what, count, bound in bounds:
            if count > bound:
                raise self.over(f"more than {bound:,} {what}", position)
        self.charge(0, position)

    def charge(self, size: int, offset: int) -> None:
        """Account for a value of `size` bytes before it is made.

        Raises:
            LimitExceededError: All values together take more than the stream may.
        """
        self.made += size
        if self.made > self.sure and self.room < 0:
            raise self.over("values would take far more memory than the stream is long", offset)

    @property
    def room(self) -> int:
        """Bytes of memory that values may still take; a place on the stack or in a list takes eight."""
        allowed = limits.MADE_FREE >> self.depth
        allowed += limits.MADE_PER_BYTE * (len(self.data) - self.start)
        allowed += limits.MADE_PER_STORAGE * len(self.storages)
        return allowed - self.made - 8 * min(self.opcodes, len(self.data) - self.start)

    def spend(self, units: int) -> None:
        """Pay for work that an opcode repeats on a value of any size, as through the memo it could for ever.

        Args:
            units: Bytes copied, eight an element copied, or one a node looked at.

        Raises:
            LimitExceededError: It is far more than reading every value of the stream once takes.
        """
        self.spent += units
        if self.spent > limits.SPEND_PER_BYTE * len(self.data) + limits.SPEND_FREE:
            raise self.over("the same values are copied over and over", self.opcode)

    def malformed(self, what: str, offset: int) -> UnreadableCheckpointError:
        """Return the error for a stream that breaks its format at a byte offset."""
        return UnreadableCheckpointError(
            f"malformed pickle at byte {offset - self.start}: {what}", where=self.where
        )

    def over(self, what: str, offset: int) -> LimitExceededError:
        """Return the error for a stream that is over a bound."""
        return LimitExceededError(f"pickle at byte {offset - self.start}: {what}", where=self.where)

    def guard(self, check: Callable[[], None]) -> None:
        """Run a check of the finished value; its error says a forbidden use too."""
        try:
            check()
        except CkptkitError as error:
            raise self._finish(error) from error

    def _finish(self, error: CkptkitError) -> CkptkitError:
        """Return `error`, or one that says the forbidden use before it too."""
        if not self.unsafe:
            return error
        return UnsafeCheckpointError(f"{self.unsafe}; then {error.what}", where=self.where)

    def name(self, module: str, name: str, offset: int) -> ClassRef:
        """Return the one reference to a global of canonical name, recorded with what it may do."""
        key = (module, name)
        ref = self.refs.get(key)
        if ref is None:
            if len(module) + len(name) > limits.MAX_NAME:
                raise self.over(f"a global's name of {len(module) + len(name)} characters", offset)
            ref = self.refs[key] = ClassRef(module, name)
            entry = self.lookup(module, name)
            self.entries[id(ref)] = entry
            self.sight(ref, offset, entry)
        return ref

    def sight(self, ref: ClassRef, offset: int, entry: Entry) -> None:
        """Record that the stream names `ref`."""
        key = (ref.module, ref.name)
        if key in self.sights:
            return
        if len(self.sights) >= limits.MAX_FACTS:
            raise self.over(f"more than {limits.MAX_FACTS:,} globals", offset)
        self.sights[key] = Sight(offset - self.start, entry.allowed, entry.why)
        if not entry.allowed:
            self.flag(ref, entry.why, offset)
        elif entry.reference:
            self.fact(CodeFact("reference", str(ref), self.where))

    def refuse(self, target: object, why: str, offset: int) -> None:
        """Record a use that the policy does not allow."""
        if isinstance(target, ClassRef):
            known = self.sights.get((target.module, target.name))
            if known is not None and known.allowed:
                known.allowed, known.why = False, why
        self.flag(target, why, offset)

    def flag(self, target: object, why: str, offset: int) -> None:
        """Make the verdict unsafe; the first reason is the one that messages give."""
        if not self.unsafe:
            name = str(target) if isinstance(target, ClassRef) else "an object"
            name = name if name.isprintable() else ascii(name)
            self.unsafe = f"pickle at byte {offset - self.start}: {name}: {why}"

    def fact(self, fact: CodeFact, *, code: bool = False) -> None:
        """Record something executable; `code` where it is more than a name."""
        self.has_code = self.has_code or code
        if len(self.facts) < limits.MAX_FACTS:
            self.facts[fact] = None

    @property
    def verdict(self) -> Verdict:
        """What the stream holds, as far as it was read."""
        if self.unsafe:
            return Verdict.UNSAFE
        return Verdict.CONTAINS_CODE if self.has_code else Verdict.DATA_ONLY

    def code_facts(self) -> tuple[CodeFact, ...]:
        """Return the code seen; a class whose instance was made is not listed as a reference too."""
        made = {(fact.name, fact.where) for fact in self.facts if fact.kind == "instance"}
        return tuple(
            fact for fact in self.facts if fact.kind != "reference" or (fact.name, fact.where) not in made
        )

    def uses(self) -> Iterable[GlobalUse]:
        """Yield every global that the stream names, then those of pickles inside it."""
        for (module, name), sight in self.sights.items():
            yield GlobalUse(module, name, self.where, sight.offset, sight.allowed, sight.why)
        yield from self.nested


_PIECE = range(limits.CHECK_EVERY)
MISSING = object()
"""Stands in the memo at a key that has no value."""
