"""The pickle of a v2 torch dict, written without torch.

Protocol 2, with the opcodes and names that torch's `weights_only` unpickler takes. Sources: torch
2.13.0, `torch/_weights_only_unpickler.py` and `torch/_tensor.py` (`_reduce_ex_internal`); the same
forms are read by torch 2.4.
"""

from dataclasses import dataclass

from ckptkit.model.dtype import DType
from ckptkit.model.tensor import contiguous_strides
from ckptkit.writers.plain_pickle import Pickler


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
    pickler = _TorchPickler()
    pickler.out += b"\x80\x02"
    pickler.save(value)
    pickler.out += b"."
    return bytes(pickler.out)


class _TorchPickler(Pickler):
    def other(self, value: object) -> None:
        if not isinstance(value, TensorRef):
            raise TypeError(f"{type(value).__name__} has no place in a torch dict")
        self._tensor(value)

    def _tensor(self, ref: TensorRef) -> None:
        typed = bool(ref.dtype.storage)
        self.named("torch._utils", "_rebuild_tensor_v2" if typed else "_rebuild_tensor_v3")
        self.out += b"("
        self._storage(ref)
        self.save(0)
        self.save(ref.shape)
        self.save(contiguous_strides(ref.shape))
        self.save(False)  # requires_grad; a state dict holds data
        self.named("collections", "OrderedDict")
        self.out += b")R"
        if not typed:
            self.named("torch", ref.dtype.torch)
        self.out += b"tR"

    def _storage(self, ref: TensorRef) -> None:
        count = 1
        for size in ref.shape:
            count *= size
        self.out += b"("
        self.text("storage")
        if ref.dtype.storage:
            self.named("torch", ref.dtype.storage)
        else:
            self.named("torch.storage", "UntypedStorage")
            count *= ref.dtype.itemsize
        self.text(ref.key)
        self.text("cpu")
        self.save(count)
        self.out += b"tQ"
