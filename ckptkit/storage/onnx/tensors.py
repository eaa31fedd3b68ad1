"""One tensor of an ONNX file: what it states, and its bytes, which stay where they are."""

from typing import NamedTuple

from ckptkit.errors import CkptkitError, UnreadableCheckpointError
from ckptkit.model.dtype import BY_NAME, DType
from ckptkit.model.onnx_types import BY_NUMBER, Element
from ckptkit.model.refusals import check_name, refuse
from ckptkit.model.source import Source
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.onnx.beside import KEYS, Beside, Place
from ckptkit.storage.onnx.stated import WIRES, Stated, stated
from ckptkit.storage.onnx.values import ANY, Values, count_of, count_varints, refuse_many
from ckptkit.storage.onnx.walk import Walk
from ckptkit.storage.onnx.wire import VARINT
from ckptkit.storage.source import Window

EXTERNAL = 1


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
        found = stated(self.walk, start, end)
        try:
            return self._told(found)
        except CkptkitError as error:
            error.what = f"tensor {found.name!r} {error.what}"
            error.where = error.where or self.walk.wire.source.name
            raise

    def _told(self, found: Stated) -> Told:
        element = BY_NUMBER.get(found.number)
        if element is None:
            raise UnreadableCheckpointError(f"is of type {found.number}, which ONNX does not have")
        held = found.held
        if len(held) > 1:
            raise UnreadableCheckpointError(f"has {' and '.join(held)}: readers differ in which one counts")
        if found.location > EXTERNAL or (found.external and not found.location):
            raise UnreadableCheckpointError(
                f"has external_data and says that its data lies at {found.location}"
            )
        if held and held[0].endswith("_data") and held[0] not in ("raw_data", "external_data", element.field):
            raise UnreadableCheckpointError(f"of {element.name} has {held[0]}, where {element.field} must be")
        count = _elements(found.dims)
        others = tuple(sorted(found.external.keys() - KEYS))
        dtype = BY_NAME.get(element.dtype)
        tensor = None
        if found.location:
            tensor = self._outside(found, dtype, count)
        elif dtype is not None:
            tensor = _tensor(dtype, found, self._inside(found, element, dtype, count))
        else:
            self._passed(found)
        return Told(found.name, element, tuple(found.dims), tensor, others)

    def _inside(self, found: Stated, element: Element, dtype: DType, count: int) -> Source:
        """Return the bytes of a tensor that lie in the file."""
        file, nbytes = self.walk.wire.source, count * dtype.itemsize
        if found.raw is not None:
            _expect(dtype, found, nbytes, found.raw.end - found.raw.start, "raw_data")
            return Window(file, found.raw.start, nbytes)
        wire, runs = WIRES[element.field], found.runs.get(element.field, [])
        if wire == VARINT:
            self._integers = refuse_many(file, runs, self._integers)
        numbers = count * dtype.itemsize // dtype.word
        counted = count_of(file, dtype, wire, runs)
        if counted != numbers:
            raise UnreadableCheckpointError(
                f"of {dtype} {found.dims} needs {numbers} numbers and has {counted} in {element.field}"
            )
        if wire != VARINT and len(runs) == 1 and not runs[0].tag:
            return Window(file, runs[0].start, nbytes)
        return Values(file, dtype, wire, runs, count)

    def _passed(self, found: Stated) -> None:
        """See that the numbers of a tensor of a type without a form in a bundle are numbers."""
        for name, runs in found.runs.items():
            if WIRES[name] == VARINT:
                self._integers = refuse_many(self.walk.wire.source, runs, self._integers)
            for run in runs if WIRES[name] == VARINT else ():
                count_varints(self.walk.wire.source, ANY, run)

    def _outside(self, found: Stated, dtype: DType | None, count: int) -> Tensor | None:
        """Return a tensor whose bytes lie beside the file; None where these are not looked for."""
        place = Place(found.external)
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
        _expect(dtype, found, nbytes, length, place.location)
        made = _tensor(dtype, found, Window(source, place.offset, nbytes))
        return self._shared(place, made, found.name) if nbytes else made

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


def _tensor(dtype: DType, found: Stated, source: Source) -> Tensor:
    shape = tuple(found.dims)
    return Tensor(dtype, shape, contiguous_strides(shape), 0, Storage(source, key=found.name))


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


def _expect(dtype: DType, found: Stated, nbytes: int, length: int, where: str) -> None:
    if length != nbytes:
        raise UnreadableCheckpointError(
            f"of {dtype} {found.dims} needs {nbytes} bytes and has {length} in {where}"
        )
