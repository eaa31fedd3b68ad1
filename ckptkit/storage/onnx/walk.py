"""The walk through messages of ONNX, which holds each to what it may have."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ckptkit.errors import LimitExceededError
from ckptkit.storage.onnx.messages import PASSED, Kind, Message
from ckptkit.storage.onnx.values import ANY, Run, count_fixed, count_varints
from ckptkit.storage.onnx.wire import LENGTH, VARINT, Field, Wire

MAX_UNKNOWN = 64
"""So many unknown fields are named."""
MAX_DEPTH = 64
"""Most of these inside each other: types of types."""


@dataclass(slots=True)
class Walk:
    """A walk through one file.

    Attributes:
        wire: Its bytes.
        unknown: Fields that were met and that no known version has, for people.
    """

    wire: Wire
    unknown: dict[str, None] = field(default_factory=dict)

    def of(self, message: Message, start: int, end: int, depth: int = 0) -> Iterator[tuple[str, Field]]:
        """Yield the fields of a message by name; those that hold no tensor have been walked through.

        Raises:
            UnreadableCheckpointError: One that may be there once is there twice, is of another form, excludes
                another, or is unknown in a closed message.
            LimitExceededError: Messages nest deeper than `MAX_DEPTH`.
        """
        seen: dict[str, int] = {}
        for found in self.wire.fields(start, end):
            kind = message.kinds.get(found.number)
            if kind is None:
                self._unknown(message, found, start)
                continue
            if found.wire != kind.wire:
                self._packed(message, kind, found, start)
            if not kind.many and seen.setdefault(kind.choice or kind.name, found.start) != found.start:
                again = f"{kind.name} beside another {kind.choice}" if kind.choice else f"{kind.name} twice"
                raise self.wire.broken(
                    f"the {message.name} at byte {start} has {again}: readers differ in which counts"
                )
            if kind.message:
                self._passed(PASSED[kind.message], found, depth + 1)
            yield kind.name, found

    def _passed(self, message: Message, found: Field, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise LimitExceededError(f"nests more than {MAX_DEPTH} types", where=self.wire.source.name)
        for _ in self.of(message, found.start, found.end, depth):
            pass

    def _packed(self, message: Message, kind: Kind, found: Field, start: int) -> None:
        """Take a run of numbers; refuse a field whose form is not its own, which libraries pass over."""
        if not kind.packed or found.wire != LENGTH:
            raise self.wire.broken(
                f"the {message.name} at byte {start} has {kind.name} in a form that readers pass over"
            )
        run = Run(found.start, found.end, b"")
        if kind.wire != VARINT:
            count_fixed(self.wire.source, kind.wire, run)
        elif not message.closed:  # those of tensors are looked at with their types
            count_varints(self.wire.source, ANY, run)

    def _unknown(self, message: Message, found: Field, start: int) -> None:
        what = f"field {found.number} of the {message.name} at byte {start}"
        if message.closed:
            raise self.wire.broken(f"{what} is in no version of ONNX that is known")
        if len(self.unknown) < MAX_UNKNOWN:
            self.unknown.setdefault(f"field {found.number} of a {message.name}")
