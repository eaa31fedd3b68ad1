"""What torch's two containers have in common: the result, and the ids that pickles name storages by.

Source: torch 2.13.0, `torch/serialization.py` (`persistent_id`, `persistent_load`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ckptkit.errors import CkptkitError, UnreadableCheckpointError
from ckptkit.model.dtype import DType
from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef, CodeFact, GlobalUse
from ckptkit.model.tensor import Storage
from ckptkit.storage.pickles import Pickle
from ckptkit.storage.pickles.torch_values import TypedStorage, storage_element

MAX_PICKLE_BYTES = 64 << 20
"""Bound on the pickle of a torch file; its tensors lie outside of it."""


@dataclass(frozen=True, slots=True)
class TorchFile:
    """The inert contents of a file that `torch.save` wrote; tensor bytes stay on disk.

    Attributes:
        root: The saved object as an inert tree.
        container: `torch-zip` or `torch-legacy`.
        verdict: What the pickles hold besides data.
        globals: Every global that they name.
        code: What is executable in them.
        storages: Every storage they refer to, one object each, in order of first use.
        facts: What the container says of itself; the keys depend on the container.
    """

    root: object
    container: str
    verdict: Verdict
    globals: tuple[GlobalUse, ...]
    code: tuple[CodeFact, ...]
    storages: tuple[Storage, ...]
    facts: Mapping[str, object]


class StorageId(NamedTuple):
    """A persistent id `("storage", class, key, location, numel)`, checked.

    Attributes:
        kind: Name of torch's storage class.
        dtype: Element type; None for an untyped storage and for types without a `DType`.
        key: The file's name of the storage.
        location: Device the storage was on, such as `cpu` or `cuda:0`.
        numel: Number of elements (bytes for an untyped storage).
        nbytes: Bytes of the storage.
        view: Sixth part that legacy files have: None, or what part of the storage is meant.
    """

    kind: str
    dtype: DType | None
    key: str
    location: str
    numel: int
    nbytes: int
    view: object = None

    def typed(self, storage: Storage) -> TypedStorage:
        """Return `storage` as the pickle machine takes it."""
        return TypedStorage(storage, self.dtype, self.numel, self.kind)


def parse_id(pid: object, where: str, *, parts: int = 5) -> StorageId:
    """Return a storage's persistent id.

    Args:
        pid: What the pickle gives.
        where: For messages.
        parts: Length of the tuple: 5, or 6 in legacy files.

    Raises:
        UnreadableCheckpointError: `pid` is not of exactly that form.
    """
    if type(pid) is tuple and len(pid) == parts and parts in (5, 6):
        word, cls, key, location, numel, *rest = pid
        is_text = isinstance(key, str) and isinstance(location, str) and word == "storage"
        if is_text and isinstance(cls, ClassRef) and type(numel) is int and numel >= 0:
            try:
                kind, dtype, itemsize = storage_element(cls)
            except KeyError:
                raise UnreadableCheckpointError(f"{cls} is no storage class", where=where) from None
            return StorageId(kind, dtype, key, location, numel, numel * itemsize, *rest)
    raise UnreadableCheckpointError("persistent id is not of the form that torch writes", where=where)


def same_storage(known: TypedStorage, found: StorageId, where: str) -> TypedStorage:
    """Return `known`, which the file names a second time.

    Raises:
        UnreadableCheckpointError: The second id gives it another type or length.
    """
    if (known.kind, known.numel) != (found.kind, found.numel):
        raise UnreadableCheckpointError(
            f"storage {found.key!r} is {known.numel} elements of {known.kind}"
            f" and also {found.numel} of {found.kind}",
            where=where,
        )
    return known


def worst(pickles: tuple[Pickle, ...]) -> Verdict:
    """Return the verdict on all of `pickles` together."""
    order = (Verdict.DATA_ONLY, Verdict.CONTAINS_CODE, Verdict.UNSAFE)
    return max((pickle.verdict for pickle in pickles), key=order.index)


def placed(error: CkptkitError, name: str) -> CkptkitError:
    """Return `error` with its place spelled from the outermost file on."""
    if not error.where.startswith(name):
        error.where = f"{name}: {error.where}" if error.where else name
    return error
