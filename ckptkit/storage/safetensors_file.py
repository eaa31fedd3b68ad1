"""Safetensors files read strictly: whatever is accepted here, the reference library reads alike.

Source: safetensors 0.8.0, `README.md` ("Format") and `safetensors/src/tensor.rs`.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError, UnsupportedTensorError
from ckptkit.model.dtype import BY_NAME, DType
from ckptkit.model.ijson import parse
from ckptkit.model.source import Source
from ckptkit.model.tensor import Storage, Tensor, contiguous_strides
from ckptkit.storage.source import Window

MAX_HEADER_BYTES = 32 << 20
"""Below the 100,000,000 that the format allows, so that no header exhausts the memory."""
MAX_HEADER_TOKENS = 3_000_000
"""Bound on quotes, commas and brackets; a tensor needs about 24."""
MAX_HEADER_VALUES = 1_200_000
"""Bound on commas and opening brackets; a tensor needs about eight."""
MAX_METADATA = 100_000
"""Pairs of `__metadata__`; real files have a few, or a few hundred."""
MAX_RANK = 64
FORMAT_MAX_HEADER_BYTES = 100_000_000

_DTYPE, _SHAPE = rb'"dtype"\s*+:\s*+"\w++"', rb'"shape"\s*+:\s*+\[[\d,\s]*+\]'
_OFFSETS = rb'"data_offsets"\s*+:\s*+\[[\d,\s]*+\]'
_ORDERS = (_DTYPE, _SHAPE, _OFFSETS), (_OFFSETS, _DTYPE, _SHAPE)
_TENSOR = re.compile(b"|".join(rb"\s*+,\s*+".join(order) for order in _ORDERS))
"""An entry as the reference library writes it, or with sorted fields; other strings count as metadata."""
_TEXTS_PER_TENSOR = 5
_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}


@dataclass(frozen=True, slots=True)
class Entry:
    """Place of one tensor.

    Attributes:
        dtype: Element type.
        shape: Sizes, outermost first.
        offset: First byte, from the start of the file.
        nbytes: Bytes of the row-major little-endian data.
    """

    dtype: DType
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """A parsed header; tensor bytes stay on disk.

    Attributes:
        source: The whole file.
        data_start: First byte behind the header.
        entries: Tensors by name, in the order of their bytes.
        metadata: The free-form `__metadata__`; empty where there is none.
    """

    source: Source
    data_start: int
    entries: Mapping[str, Entry]
    metadata: Mapping[str, str]

    def tensor(self, name: str) -> Tensor:
        """Return one tensor over a storage of its own.

        Raises:
            KeyError: There is none of that name.
        """
        entry = self.entries[name]
        storage = Storage(Window(self.source, entry.offset, entry.nbytes), key=name)
        return Tensor(entry.dtype, entry.shape, contiguous_strides(entry.shape), 0, storage)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors, in the order of their bytes."""
        return {name: self.tensor(name) for name in self.entries}


def is_safetensors(head: bytes) -> bool:
    """Whether a file that starts with `head` claims to be safetensors, well-formed or not."""
    if len(head) < 10:
        return False
    (length,) = struct.unpack_from("<Q", head)
    text = head[8:].lstrip(b" \t\r\n\xef\xbb\xbf")
    return 2 <= length <= FORMAT_MAX_HEADER_BYTES and text[:1] == b"{" and text[1:].lstrip()[:1] in b'"}'


def open_safetensors(source: Source) -> SafetensorsFile:
    """Read the header of a safetensors file.

    Raises:
        UnreadableCheckpointError: The header is not I-JSON, an entry has other fields than the
            three of the format, or the tensors overlap, leave holes or do not end with the file.
        LimitExceededError: The header is over a bound of this module.
        UnsupportedTensorError: A tensor's element type is not read here; the message names it.
    """
    header = _header(source)
    data_start = 8 + len(header)
    tree = parse(
        header,
        where=source.name,
        max_bytes=MAX_HEADER_BYTES,
        max_depth=4,
        max_values=MAX_HEADER_VALUES,
        max_parts=MAX_HEADER_BYTES * 3,  # what takes memory besides tensors is bounded above
    )
    if not isinstance(tree, dict):
        raise _broken(source, "header is not a JSON object")
    metadata = _metadata(source, tree.pop(_METADATA)) if _METADATA in tree else {}
    entries = {name: _entry(source, name, info, data_start) for name, info in tree.items()}
    # Empty tensors sort before the tensor that starts where they stand.
    ordered = dict(sorted(entries.items(), key=lambda item: (item[1].offset, item[1].nbytes)))
    _check_cover(source, ordered, data_start)
    return SafetensorsFile(source, data_start, ordered, metadata)


def _header(source: Source) -> bytes:
    if source.size < 8:
        raise _broken(source, "truncated: shorter than a header length")
    (length,) = struct.unpack("<Q", source.read(0, 8))
    if length > source.size - 8:
        raise _broken(source, f"header of {length} bytes leaves the file: truncated or corrupt")
    if length > MAX_HEADER_BYTES:
        raise LimitExceededError(
            f"header of {length} bytes, over the limit of {MAX_HEADER_BYTES}", where=source.name
        )
    header = source.read(8, length)
    if not header.startswith(b"{") or not header.rstrip(b" ").endswith(b"}"):
        raise _broken(source, "header must start with { and end with }, with spaces behind it only")
    _check_parts(header, source.name)
    return header


def _check_parts(header: bytes, where: str) -> None:
    """Refuse a header that would take far more memory than its tensors do."""
    tokens = sum(header.count(mark) for mark in (b'"', b",", b"[", b"{"))
    if tokens > MAX_HEADER_TOKENS:
        what = f"{tokens} quotes, commas and brackets in its header, at most {MAX_HEADER_TOKENS} are read"
        raise LimitExceededError(what, where=where)
    texts = _texts(header) if tokens > 2 * MAX_METADATA else 0
    if texts > 2 * MAX_METADATA:
        what = f"{texts} strings besides those of tensors in its header, at most {2 * MAX_METADATA} are read"
        raise LimitExceededError(what, where=where)


def _texts(header: bytes) -> int:
    """Return how many strings a header has besides those of tensors."""
    plain = header.replace(b"\\\\", b"").replace(b'\\"', b"")
    return plain.count(b'"') // 2 - _TEXTS_PER_TENSOR * sum(1 for _ in _TENSOR.finditer(plain))


def _metadata(source: Source, value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise _broken(source, f"{_METADATA} must map strings to strings")
    return value


def _entry(source: Source, name: str, info: object, data_start: int) -> Entry:
    if not isinstance(info, dict) or info.keys() != _FIELDS:
        raise _broken(source, f"tensor {name!r} must have exactly the fields dtype, shape and data_offsets")
    if not isinstance(info["dtype"], str):
        raise _broken(source, f"tensor {name!r}: dtype is not a string")
    shape = _sizes(source, name, info["shape"])
    offsets = _sizes(source, name, info["data_offsets"])
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _broken(source, f"tensor {name!r}: data_offsets must be a start and an end")
    dtype = BY_NAME.get(info["dtype"])
    if dtype is None:
        raise UnsupportedTensorError(
            f"tensor {name!r} has element type {info['dtype']!r}, which no bundle can carry",
            where=source.name,
        )
    span = _elements(source, name, shape) * dtype.itemsize
    if span != offsets[1] - offsets[0]:
        raise _broken(
            source,
            f"tensor {name!r} of {dtype} {list(shape)} needs {span} bytes and has {offsets[1] - offsets[0]}",
        )
    return Entry(dtype, shape, data_start + offsets[0], span)


def _sizes(source: Source, name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(size) is int and size >= 0 for size in value):
        raise _broken(source, f"tensor {name!r}: shape and data_offsets must be lists of natural numbers")
    if len(value) > MAX_RANK:
        raise LimitExceededError(f"tensor {name!r} has {len(value)} dimensions", where=source.name)
    return tuple(value)


def _elements(source: Source, name: str, shape: tuple[int, ...]) -> int:
    """Multiply the sizes; sizes beside a 0 must not overflow either, since strides would."""
    count, strides = 1, 1
    for size in shape:
        count *= size
        strides *= max(size, 1)
    if strides >= 1 << 60:
        raise _broken(source, f"tensor {name!r}: shape {list(shape)} overflows")
    return count


def _check_cover(source: Source, entries: Mapping[str, Entry], data_start: int) -> None:
    at = data_start
    for name, entry in entries.items():
        if entry.offset != at:
            what = "overlaps the one before it" if entry.offset < at else "has unused bytes before it"
            raise _broken(source, f"tensor {name!r} {what}")
        at += entry.nbytes
    if at != source.size:
        what = f"{source.size - at} bytes behind the last tensor" if at < source.size else "truncated"
        raise _broken(source, f"{what}: the tensors end at byte {at} of {source.size}")


def _broken(source: Source, what: str) -> UnreadableCheckpointError:
    return UnreadableCheckpointError(what, where=source.name)
