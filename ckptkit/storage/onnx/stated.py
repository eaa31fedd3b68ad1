"""What the message of one tensor states, before anything is made of it."""

from dataclasses import dataclass, field

from ckptkit.errors import LimitExceededError
from ckptkit.storage.onnx.messages import ENTRY, TENSOR
from ckptkit.storage.onnx.values import Run
from ckptkit.storage.onnx.walk import Walk
from ckptkit.storage.onnx.wire import FIXED32, FIXED64, LENGTH, VARINT, Field, signed
from ckptkit.storage.safetensors_file import MAX_RANK

WIRES = {
    "float_data": FIXED32,
    "double_data": FIXED64,
    "int32_data": VARINT,
    "int64_data": VARINT,
    "uint64_data": VARINT,
}
"""Wire types of the fields that hold numbers one by one."""
MAX_ENTRIES = 64
"""Most that a tensor states of data outside; ONNX has five things to say."""
MAX_RUNS = 1024
"""Most runs that the numbers of one tensor stand in; a writer makes one."""


@dataclass(slots=True)
class Stated:
    """What one `TensorProto` states.

    Attributes:
        at: Its first byte.
        name: Empty where it has none.
        number: Of the element type.
        dims: Sizes, outermost first.
        raw: Its raw bytes.
        runs: Numbers that stand one by one, by field.
        texts: Whether it holds texts.
        location: Whether its bytes lie in the file (0) or beside it (1).
        external: Where, if so.
    """

    at: int
    name: str = ""
    number: int = 0
    dims: list[int] = field(default_factory=list)
    raw: Field | None = None
    runs: dict[str, list[Run]] = field(default_factory=dict)
    texts: bool = False
    location: int = 0
    external: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> list[str]:
        """The fields that hold its data."""
        found = [name for name, there in (("raw_data", self.raw), ("string_data", self.texts)) if there]
        return [*found, *self.runs, *(["external_data"] if self.external or self.location else [])]

    def take(self, walk: Walk, name: str, found: Field) -> None:
        """Take a field that is no list of numbers."""
        match name:
            case "name":
                self.name = walk.wire.text(found)
            case "data_type":
                self.number = found.value
            case "data_location":
                self.location = found.value
            case "raw_data":
                self.raw = found
            case "string_data":
                self.texts = True
            case "external_data":
                self._entry(walk, found)
            case "segment":
                raise walk.wire.broken(f"the tensor at byte {self.at} is a segment, which no program reads")

    def take_sizes(self, walk: Walk, found: Field) -> None:
        """Take one size, or a run of them."""
        at = found.start
        while at < found.end:
            size, at = walk.wire.varint(at, found.end)
            self.dims.append(signed(size))
            if len(self.dims) > MAX_RANK:
                what = f"the tensor at byte {self.at} has more than {MAX_RANK} dimensions"
                raise LimitExceededError(what, where=walk.wire.source.name)

    def take_numbers(self, walk: Walk, name: str, found: Field) -> None:
        """Take numbers; single ones that stand behind each other are one run."""
        if found.end == found.start:
            return
        runs = self.runs.setdefault(name, [])
        if found.wire == LENGTH:
            runs.append(Run(found.start, found.end, b""))
        else:
            tag = bytes([found.number << 3 | found.wire])
            last = runs[-1] if runs else None
            if last is not None and last.tag and last.end == found.start - 1:
                runs[-1] = Run(last.start, found.end, tag)
            else:
                runs.append(Run(found.start - 1, found.end, tag))
        if len(runs) > MAX_RUNS:
            what = f"tensor {self.name!r} has its numbers in more than {MAX_RUNS} parts"
            raise LimitExceededError(what, where=walk.wire.source.name)

    def _entry(self, walk: Walk, found: Field) -> None:
        entry = {name: walk.wire.text(one) for name, one in walk.of(ENTRY, found.start, found.end)}
        key = entry.get("key", "")
        if len(self.external) == MAX_ENTRIES:
            what = f"tensor {self.name!r} states more than {MAX_ENTRIES} things of its data"
            raise LimitExceededError(what, where=walk.wire.source.name)
        if key in self.external:
            raise walk.wire.broken(f"tensor {self.name!r} states the {key} of its data twice")
        self.external[key] = entry.get("value", "")


def stated(walk: Walk, start: int, end: int) -> Stated:
    """Return what the message between two bytes states."""
    made = Stated(start)
    for name, found in walk.of(TENSOR, start, end):
        if name == "dims":
            made.take_sizes(walk, found)
        elif name in WIRES:
            made.take_numbers(walk, name, found)
        else:
            made.take(walk, name, found)
    return made
