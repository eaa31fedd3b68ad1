"""Tensors from the arguments of torch's rebuild functions.

Source: torch 2.13.0, `torch/_utils.py`.
"""

from ckptkit.errors import LimitExceededError, UnreadableCheckpointError
from ckptkit.model.dtype import DType
from ckptkit.model.inert import ClassRef, Instance
from ckptkit.model.tensor import Tensor
from ckptkit.storage.pickles import limits
from ckptkit.storage.pickles.machine import Machine, Refuse
from ckptkit.storage.pickles.torch_values import TypedStorage, dtype_of

_INT64 = 1 << 63


def rebuild(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`_rebuild_tensor[_v2](storage, offset, size, stride[, requires_grad, hooks[, metadata]])`."""
    if len(args) not in (4, 6, 7):
        raise Refuse("gets another number of arguments than a tensor has")
    storage, offset, size, stride = args[:4]
    if not isinstance(storage, TypedStorage):
        raise Refuse("gets something that is no storage")
    if len(args) > 4:
        _check_hooks(args[5])
    if storage.dtype is None or (len(args) == 7 and args[6]):
        return Instance(ref, args)
    return view(m, storage, storage.dtype, (offset, size, stride))


def rebuild_v3(m: Machine, ref: ClassRef, args: tuple[object, ...]) -> object:
    """`_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype[, metadata])`."""
    if len(args) not in (7, 8):
        raise Refuse("gets another number of arguments than a tensor has")
    storage, offset, size, stride = args[:4]
    if not isinstance(storage, TypedStorage) or not isinstance(args[6], ClassRef):
        raise Refuse("gets something that is no storage and dtype")
    _check_hooks(args[5])
    dtype = dtype_of(args[6])
    if dtype is None or (len(args) == 8 and args[7]):
        return Instance(ref, args)
    return view(m, storage, dtype, (offset, size, stride))


def _check_hooks(hooks: object) -> None:
    if hooks is not None and (not isinstance(hooks, dict) or hooks):
        raise Refuse("gets backward hooks")


def view(m: Machine, storage: TypedStorage, dtype: DType, place: tuple[object, object, object]) -> Tensor:
    """Return a tensor, after checking that it lies inside its storage.

    Args:
        m: The machine, for messages.
        storage: The storage.
        dtype: Element type.
        place: Offset in elements, sizes, strides in elements.

    Raises:
        UnreadableCheckpointError: The numbers are none, negative, or leave the storage.
        LimitExceededError: Repeated elements make the tensor far larger than its storage.
    """
    offset, size, stride = place
    if (
        type(size) is not tuple
        or type(stride) is not tuple
        or len(size) != len(stride)
        or type(offset) is not int
    ):
        raise _broken(m, storage, "its offset, sizes and strides are not integers", place)
    count, last = 1, offset
    for length, step in zip(size, stride, strict=True):
        if type(length) is not int or type(step) is not int or length < 0 or step < 0:
            raise _broken(m, storage, "its sizes and strides are not whole numbers", place)
        count *= length
        last += (length - 1) * step
    held = storage.storage.source.size
    itemsize = dtype.itemsize
    if offset < 0 or count >= _INT64 or offset >= _INT64:
        raise _broken(m, storage, "its offset or number of elements is out of range", place)
    if count and (last + 1) * itemsize > held:
        raise _broken(m, storage, f"it leaves its storage of {held} bytes", place)
    if count * itemsize > held + limits.EXPANDED_BYTES:
        raise LimitExceededError(
            f"tensor in storage {storage.storage.key!r}: {held} bytes repeated to {count * itemsize}",
            where=m.where,
        )
    return Tensor(dtype, size, stride, offset, storage.storage)


def _broken(
    m: Machine, storage: TypedStorage, why: str, place: tuple[object, ...]
) -> UnreadableCheckpointError:
    numbers = ", ".join(str(part)[:80] for part in place if isinstance(part, int | tuple))
    return UnreadableCheckpointError(
        f"tensor in storage {storage.storage.key!r} (offset, sizes, strides {numbers}): {why}", where=m.where
    )
