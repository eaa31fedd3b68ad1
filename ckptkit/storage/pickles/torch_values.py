"""Storages as persistent ids give them, and the element types that torch's storage classes name.

Source: torch 2.13.0, `torch/storage.py` (`_dtype_to_storage_type_map`) and `torch/serialization.py`.
"""

from dataclasses import dataclass

from ckptkit.model.dtype import BY_STORAGE, BY_TORCH, DType
from ckptkit.model.inert import ClassRef
from ckptkit.model.tensor import Storage

UNTYPED = "UntypedStorage"
"""Kind of a storage that is only bytes; `_rebuild_tensor_v3` says the dtype apart."""

UNSUPPORTED_ITEMSIZE = {
    "ComplexDoubleStorage": 16,
    "QInt8Storage": 1,
    "QUInt8Storage": 1,
    "QInt32Storage": 4,
    "QUInt4x2Storage": 1,
    "QUInt2x4Storage": 1,
}
"""Bytes an element of the storage classes whose tensors have no safetensors form."""

STORAGE_NAMES = frozenset(BY_STORAGE) | frozenset(UNSUPPORTED_ITEMSIZE) | {UNTYPED, "TypedStorage"}
"""Storage classes by name."""


@dataclass(slots=True, eq=False)  # not frozen for the reason that tensors are not (`model.tensor`)
class TypedStorage:
    """A storage as a pickle's persistent id describes it.

    Attributes:
        storage: The bytes; one object per storage of the file, however often the id occurs.
        dtype: Element type; None for an untyped storage, and for a type that has no `DType`.
        numel: Number of elements (bytes for an untyped storage).
        kind: Name of torch's storage class, such as `FloatStorage`.
    """

    storage: Storage
    dtype: DType | None
    numel: int
    kind: str = UNTYPED


def storage_element(ref: ClassRef) -> tuple[str, DType | None, int]:
    """Return what a storage class says of its elements.

    Args:
        ref: `torch.FloatStorage`, `torch.cuda.FloatStorage`, `torch.storage.UntypedStorage` …

    Returns:
        The class name, the element type (None where there is none of ours), and bytes an element.

    Raises:
        KeyError: `ref` is no storage class.
    """
    if ref.module in ("torch", "torch.cuda", "torch.storage"):
        dtype = BY_STORAGE.get(ref.name)
        if dtype is not None:
            return ref.name, dtype, dtype.itemsize
        if ref.name == UNTYPED:
            return ref.name, None, 1
        if ref.name in UNSUPPORTED_ITEMSIZE:
            return ref.name, None, UNSUPPORTED_ITEMSIZE[ref.name]
    raise KeyError(str(ref))


def dtype_of(ref: object) -> DType | None:
    """Return the element type that a reference such as `torch.float32` names; None for others."""
    if isinstance(ref, ClassRef) and ref.module == "torch":
        return BY_TORCH.get(ref.name)
    return None
