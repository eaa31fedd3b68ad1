"""One tensor of an ONNX file: what it states, and its bytes, which stay where they are."""

from dataclasses import dataclass, field
from typing import NamedTuple

from ckptkit.errors import CkptkitError, LimitExceededError, UnreadableCheckpointError
from ckptkit.model.dtype import BY_NAME, DType
from ckptkit.model.onnx_types import BY_NUMBER, Element
from ckptkit.model.refusals import check_name, refuse
from ckptkit.model.source import Source
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.onnx.beside import KEYS, Beside, Place
from ckptkit.storage.onnx.messages import ENTRY, TENSOR, Walk
from ckptkit.storage.onnx.values import Run, Values, count_of, refuse_many
from ckptkit.storage.onnx.wire import FIXED32, FIXED64, LENGTH, VARINT, Field, signed
from ckptkit.storage.safetensors_file import MAX_RANK
from ckptkit.storage.source import Window

EXTERNAL = 1
_WIRES = {
    "float_data": FIXED32,
    "double_data": FIXED64,
    "int32_data": VARINT,
    "int64_data": VARINT,
    "uint64_data": VARINT,
}
_RUNS = 1024
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


class Told(NamedTuple):
    """A tensor that may not be one that a bundle carries.

    Attributes:
        name: As stated.
        element: Its type.
        shape: Sizes.
        tensor: Its bytes; None where no bundle carries the type.
        external: Entries beside those that say where the data lies.
    """

    name: str
    element: Element
    shape: tuple[int, ...]
    tensor: Tensor | None
    external: tuple[str, ...]


class Tensors:
    """Makes the tensors of one file.

    Attributes:
        walk: Through the file.
        beside: The files beside it; None where they are not looked for.
        places: The tensor that takes each run of bytes of a file beside the model.
    """

    def __init__(self, walk: Walk, beside: Beside | None) -> None:
        self.walk, self.beside = walk, beside
        self.places: dict[str, dict[tuple[int, int], tuple[str, Tensor]]] = {}
        self._integers = 0

    def read(self, start: int, end: int) -> Told:
        """Return the tensor whose message stands between two bytes.

        Raises:
            UnreadableCheckpointError: It states two things, or its data is not what it states.
            LimitExceededError: A bound is exceeded.
            PointerError: Its data is a pointer to content that is not there.
            InaccessibleError: Its data cannot be read.
        """
        stated = self._stated(start, end)
        try:
            return self._told(stated)
        except CkptkitError as error:
            error.what = f"tensor {stated.name!r} {error.what}"
            error.where = error.where or self.walk.wire.source.name
            raise

    def _stated(self, start: int, end: int) -> Stated:
        stated = Stated(start)
        for name, found in self.walk.of(TENSOR, start, end):
            if name == "dims":
                self._dims(stated, found)
            elif name in _WIRES:
                self._run(stated, name, found)
            else:
                self._one(stated, name, found)
        return stated

    def _one(self, stated: Stated, name: str, found: Field) -> None:
        """Take a field that is no list of numbers."""
        match name:
            case "name":
                stated.name = self.walk.wire.text(found)
            case "data_type":
                stated.number = found.value
            case "data_location":
                stated.location = found.value
            case "raw_data":
                stated.raw = found
            case "string_data":
                stated.texts = True
            case "external_data":
                self._entry(stated, found)
            case "segment":
                raise self.walk.wire.broken(f"the tensor at byte {stated.at} is a segment, which none reads")

    def _dims(self, stated: Stated, found: Field) -> None:
        """Take one size, or a run of them."""
        at = found.start
        while at < found.end:
            size, at = self.walk.wire.varint(at, found.end)
            stated.dims.append(signed(size))
            if len(stated.dims) > MAX_RANK:
                raise LimitExceededError(
                    f"the tensor at byte {stated.at} has more than {MAX_RANK} dimensions",
                    where=self.walk.wire.source.name,
                )

    def _entry(self, stated: Stated, found: Field) -> None:
        wire = self.walk.wire
        entry = {name: wire.text(one) for name, one in self.walk.of(ENTRY, found.start, found.end)}
        key = entry.get("key", "")
        if key in stated.external:
            raise wire.broken(f"tensor {stated.name!r} states the {key} of its data twice")
        stated.external[key] = entry.get("value", "")

    def _run(self, stated: Stated, name: str, found: Field) -> None:
        """Take numbers of a tensor; single ones that stand behind each other are one run."""
        if found.end == found.start:
            return
        runs = stated.runs.setdefault(name, [])
        if found.wire == LENGTH:
            runs.append(Run(found.start, found.end, b""))
        else:
            tag = bytes([found.number << 3 | found.wire])
            last = runs[-1] if runs else None
            if last is not None and last.tag and last.end == found.start - 1:
                runs[-1] = Run(last.start, found.end, tag)
            else:
                runs.append(Run(found.start - 1, found.end, tag))
        if len(runs) > _RUNS:
            raise LimitExceededError(
                f"tensor {stated.name!r} has its numbers in more than {_RUNS} parts",
                where=self.walk.wire.source.name,
            )

    def _told(self, stated: Stated) -> Told:
        element = BY_NUMBER.get(stated.number)
        if element is None:
            raise UnreadableCheckpointError(f"is of type {stated.number}, which ONNX does not have")
        held = stated.held
        if len(held) > 1:
            raise UnreadableCheckpointError(f"has {' and '.join(held)}: readers differ in which one counts")
        if stated.location > EXTERNAL or (stated.external and not stated.location):
            raise UnreadableCheckpointError(
                f"has external_data and says that its data lies at {stated.location}"
            )
        if held and held[0].endswith("_data") and held[0] not in ("raw_data", "external_data", element.field):
            raise UnreadableCheckpointError(f"of {element.name} has {held[0]}, where {element.field} must be")
        count = _elements(stated.dims)
        others = tuple(sorted(stated.external.keys() - KEYS))
        dtype = BY_NAME.get(element.dtype)
        tensor = None
        if stated.location:
            tensor = self._outside(stated, dtype, count)
        elif dtype is not None:
            tensor = _tensor(dtype, stated, self._inside(stated, element, dtype, count))
        return Told(stated.name, element, tuple(stated.dims), tensor, others)

    def _inside(self, stated: Stated, element: Element, dtype: DType, count: int) -> Source:
        """Return the bytes of a tensor that lie in the file."""
        file, nbytes = self.walk.wire.source, count * dtype.itemsize
        if stated.raw is not None:
            _expect(dtype, stated, nbytes, stated.raw.end - stated.raw.start, "raw_data")
            return Window(file, stated.raw.start, nbytes)
        wire, runs = _WIRES[element.field], stated.runs.get(element.field, [])
        if wire == VARINT:
            self._integers = refuse_many(file, runs, self._integers)
        numbers = count * dtype.itemsize // dtype.word
        found = count_of(file, dtype, wire, runs)
        if found != numbers:
            raise UnreadableCheckpointError(
                f"of {dtype} {stated.dims} needs {numbers} numbers and has {found} in {element.field}"
            )
        if wire != VARINT and len(runs) == 1 and not runs[0].tag:
            return Window(file, runs[0].start, nbytes)
        return Values(file, dtype, wire, runs, count)

    def _outside(self, stated: Stated, dtype: DType | None, count: int) -> Tensor | None:
        """Return a tensor whose bytes lie beside the file; None where these are not looked for."""
        place = Place(stated.external)
        if self.beside is None or dtype is None:
            return None
        source = self.beside.open(place.location)
        nbytes = count * dtype.itemsize
        length = source.size - place.offset if place.length is None else place.length
        if place.offset + max(length, 0) > source.size or length < 0:
            raise UnreadableCheckpointError(
                f"takes bytes {place.offset} to {place.offset + max(length, 0)} of {place.location!r}, "
                f"which has {source.size}"
            )
        _expect(dtype, stated, nbytes, length, place.location)
        made = _tensor(dtype, stated, Window(source, place.offset, nbytes))
        return self._shared(place, made, stated.name) if nbytes else made

    def _shared(self, place: Place, made: Tensor, name: str) -> Tensor:
        """Return the tensor that is the same view of the same bytes already, else `made`."""
        taken = self.places.setdefault(place.location, {})
        span = (place.offset, place.offset + made.nbytes)
        before, earlier = taken.setdefault(span, (name, made))
        if (earlier.dtype, earlier.shape) != (made.dtype, made.shape):
            raise UnreadableCheckpointError(
                f"takes the bytes of {before!r} as another type or shape: {made.dtype} {list(made.shape)}"
            )
        return earlier

    def refuse_overlaps(self) -> None:
        """Refuse tensors that share some bytes of a file beside the model, and not all.

        Raises:
            UnreadableCheckpointError: Two do.
        """
        for location, taken in self.places.items():
            end, last = 0, ""
            for (start, stop), (name, _) in sorted(taken.items(), key=lambda item: item[0]):
                if start < end:
                    raise self.walk.wire.broken(f"tensors {last!r} and {name!r} overlap in {location!r}")
                end, last = stop, name


def initializer(told: Told) -> Tensor | None:
    """Return a tensor that a bundle can carry under its name; None where its data was not looked for.

    Raises:
        UnsupportedTensorError: It has no form in a bundle.
    """
    check_name(told.name)
    if not told.element.dtype:
        raise refuse(told.name, f"is of ONNX's type {told.element.name}")
    return told.tensor


def _tensor(dtype: DType, stated: Stated, source: Source) -> Tensor:
    shape = tuple(stated.dims)
    return Tensor(dtype, shape, contiguous_strides(shape), 0, Storage(source, key=stated.name))


def _elements(dims: list[int]) -> int:
    """Multiply sizes; those beside a 0 must not overflow either, since strides would."""
    count, strides = 1, 1
    for size in dims:
        if size < 0:
            raise UnreadableCheckpointError(f"has a negative size: {dims}")
        count *= size
        strides *= max(size, 1)
        if strides >= 1 << 60:
            raise UnreadableCheckpointError(f"has sizes that overflow: {dims}")
    return count


def _expect(dtype: DType, stated: Stated, nbytes: int, length: int, where: str) -> None:
    if length != nbytes:
        raise UnreadableCheckpointError(
            f"of {dtype} {stated.dims} needs {nbytes} bytes and has {length} in {where}"
        )
