"""The pickle of a v2 torch dict, written without torch.

Protocol 2, with the opcodes and names that torch's `weights_only` unpickler takes. Sources: torch
2.13.0, `torch/_weights_only_unpickler.py` and `torch/_tensor.py` (`_reduce_ex_internal`); the same
forms are read by torch 2.4.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ckptkit.model.dtype import DType
from ckptkit.model.tensor import contiguous_strides


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor that fills a storage of the archive.

    Attributes:
        key: Name of the storage: the member `data/<key>`.
        dtype: Element type.
        shape: Sizes, outermost first.
    """

    key: str
    dtype: DType
    shape: tuple[int, ...]


def dumps(value: object) -> bytes:
    """Return the pickle of plain Python data and `TensorRef`s.

    Args:
        value: None, bool, int, float, str, list, tuple, dict and `TensorRef`, nested.

    Raises:
        TypeError: It holds something else.
    """
    pickler = _Pickler()
    pickler.out += b"\x80\x02"
    pickler.save(value)
    pickler.out += b"."
    return bytes(pickler.out)


class _Pickler:
    """Appends opcodes; texts and names that stood before are fetched from the memo."""

    def __init__(self) -> None:
        self.out = bytearray()
        self._memo: dict[tuple[str, ...], int] = {}

    def save(self, value: object) -> None:
        match value:
            case None:
                self.out += b"N"
            case bool():
                self.out += b"\x88" if value else b"\x89"
            case int():
                self.out += _integer(value)
            case float():
                self.out += b"G" + struct.pack(">d", value)
            case str():
                self._text(value)
            case _:
                self._container(value)

    def _container(self, value: object) -> None:
        match value:
            case tuple():
                self._tuple(value)
            case list():
                self.out += b"]"
                self._batch(value, b"e")
            case Mapping():
                self.out += b"}"
                self._batch([part for pair in value.items() for part in pair], b"u")
            case TensorRef():
                self._tensor(value)
            case _:
                raise TypeError(f"{type(value).__name__} has no place in a torch dict")

    def _batch(self, items: list[object], end: bytes) -> None:
        if items:
            self.out += b"("
            for item in items:
                self.save(item)
            self.out += end

    def _tuple(self, value: tuple[object, ...]) -> None:
        short = (b")", b"\x85", b"\x86", b"\x87")
        if len(value) >= len(short):
            self.out += b"("
        for item in value:
            self.save(item)
        self.out += short[len(value)] if len(value) < len(short) else b"t"

    def _text(self, value: str) -> None:
        if not self._fetch(("text", value)):
            data = value.encode()
            self.out += b"X" + struct.pack("<I", len(data)) + data
            self._keep(("text", value))

    def _global(self, module: str, name: str) -> None:
        if not self._fetch(("global", module, name)):
            self.out += f"c{module}\n{name}\n".encode()
            self._keep(("global", module, name))

    def _fetch(self, key: tuple[str, ...]) -> bool:
        place = self._memo.get(key)
        if place is not None:
            self.out += b"h" + bytes([place]) if place < 256 else b"j" + struct.pack("<I", place)
        return place is not None

    def _keep(self, key: tuple[str, ...]) -> None:
        place = self._memo[key] = len(self._memo)
        self.out += b"q" + bytes([place]) if place < 256 else b"r" + struct.pack("<I", place)

    def _tensor(self, ref: TensorRef) -> None:
        typed = bool(ref.dtype.storage)
        self._global("torch._utils", "_rebuild_tensor_v2" if typed else "_rebuild_tensor_v3")
        self.out += b"("
        self._storage(ref)
        self.save(0)
        self.save(ref.shape)
        self.save(contiguous_strides(ref.shape))
        self.save(False)  # requires_grad; a state dict holds data
        self._global("collections", "OrderedDict")
        self.out += b")R"
        if not typed:
            self._global("torch", ref.dtype.torch)
        self.out += b"tR"

    def _storage(self, ref: TensorRef) -> None:
        count = 1
        for size in ref.shape:
            count *= size
        self.out += b"("
        self._text("storage")
        if ref.dtype.storage:
            self._global("torch", ref.dtype.storage)
        else:
            self._global("torch.storage", "UntypedStorage")
            count *= ref.dtype.itemsize
        self._text(ref.key)
        self._text("cpu")
        self.save(count)
        self.out += b"tQ"


def _integer(value: int) -> bytes:
    if 0 <= value < 1 << 8:
        return b"K" + struct.pack("<B", value)
    if 0 <= value < 1 << 16:
        return b"M" + struct.pack("<H", value)
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    length = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([length]) + value.to_bytes(length, "little", signed=True)
