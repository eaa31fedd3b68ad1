"""Views of one storage that overlap without being the same view."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ckptkit.model.checkpoint import Note
from ckptkit.model.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

EXACT_ELEMENTS = 1 << 20
"""Up to this many elements interleaved views are compared element by element."""
NAMES_LISTED = 8


def partial_sharing(tensors: Mapping[str, Tensor]) -> tuple[Note, ...]:
    """Return a note for each group of tensors that overlap in their storage and are not aliases.

    A bundle stores such tensors apart, so that writing to one no longer changes the other.
    Neighbours that merely lie in one storage are no group.
    """
    by_storage: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        if tensor.numel:
            by_storage[id(tensor.storage)][name] = tensor
    groups = (group for views in by_storage.values() if len(views) > 1 for group in _groups(views))
    return tuple(_note(group) for group in groups)


def _note(names: list[str]) -> Note:
    listed = ", ".join(names[:NAMES_LISTED])
    more = f" and {len(names) - NAMES_LISTED} more" if len(names) > NAMES_LISTED else ""
    message = f"views of one storage overlap and will be stored apart: {listed}{more}"
    return Note("partial-sharing", message, names[0])


def _groups(views: Mapping[str, Tensor]) -> Iterator[list[str]]:
    """Yield the names of each run of overlapping views that are not all one view."""
    ordered = sorted(views.items(), key=lambda item: _span(item[1]))
    run: list[tuple[str, Tensor]] = []
    end = 0
    for name, tensor in ordered:
        low, high = _span(tensor)
        if run and low >= end:
            yield from _named(run)
            run = []
            end = 0
        run.append((name, tensor))
        end = max(end, high)
    yield from _named(run)


def _named(run: list[tuple[str, Tensor]]) -> Iterator[list[str]]:
    distinct = list({tensor.identity: tensor for _, tensor in run}.values())
    if len(distinct) > 1 and not _disjoint(distinct):
        yield [name for name, _ in run]


def _span(tensor: Tensor) -> tuple[int, int]:
    """Return the first byte of a view and the one behind its last."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    itemsize = tensor.dtype.itemsize
    return tensor.offset * itemsize, (tensor.offset + last + 1) * itemsize


def _disjoint(views: list[Tensor]) -> bool:
    """Whether views whose spans overlap (columns of one matrix, say) hold no element in common."""
    if len({view.dtype.itemsize for view in views}) > 1:
        return False
    if sum(view.numel for view in views) > EXACT_ELEMENTS:
        return False
    import numpy as np

    elements = [np.unique(_elements(view)) for view in views]
    return len(np.unique(np.concatenate(elements))) == sum(len(part) for part in elements)


def _elements(view: Tensor) -> "np.ndarray[Any, Any]":
    import numpy as np

    indices = np.array([view.offset], dtype=np.int64)
    for size, stride in zip(view.shape, view.strides, strict=True):
        indices = (indices[:, None] + np.arange(size, dtype=np.int64) * stride).ravel()
    return indices
