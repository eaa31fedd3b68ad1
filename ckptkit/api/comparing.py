"""Say in what two checkpoints differ."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping

from ckptkit.api.distances import distance, same_bytes
from ckptkit.api.preparing import refuse_unfit, with_architecture
from ckptkit.api.reading import PathLike, read
from ckptkit.digest import tensor_sha256
from ckptkit.graph.document import architecture_of
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.difference import Change, Difference, FieldChange, LayerChange, TensorChange, Tensors
from ckptkit.model.manifest import carried
from ckptkit.model.recovered import Hints
from ckptkit.model.results import TensorRow
from ckptkit.model.tensor import Tensor
from ckptkit.model.tree import encoded, to_json

MANIFEST = ("spec_version", "critical", "lineage", "recovery", "extensions")
"""Fields that only a manifest has; compared where both have one."""
_ABSENT = object()

NamedTensors = Mapping[str, Tensor]


def diff(a: PathLike, b: PathLike) -> Difference:
    """Say in what two checkpoints differ, whatever their formats.

    Tensor bytes are read in bounded pieces, and never trusted to be what a manifest says of them.

    Args:
        a: Any supported checkpoint or bundle.
        b: Likewise; changes are told from A to B.

    Raises:
        CkptkitError: As `read`, or one of them is unsafe.
    """
    one, other = _prepared(a), _prepared(b)
    both = one.bundle is not None and other.bundle is not None
    state, training = encoded(one.training_state)
    other_state, other_training = encoded(other.training_state)
    fields = _said(one, both) | {"training_state": state}
    other_fields = _said(other, both) | {"training_state": other_state}
    before, after = architecture_of(one) or {}, architecture_of(other) or {}
    return Difference(
        a=os.fspath(a),
        b=os.fspath(b),
        formats=(one.format, other.format),
        fields=tuple(changes(fields, other_fields)),
        config=tuple(changes(_own_fields(before), _own_fields(after))),
        layers=tuple(_layers(before, after)),
        model=_tensors(one.tensors, other.tensors),
        training=_tensors(training, other_training),
    )


def _prepared(path: PathLike) -> Checkpoint:
    checkpoint = read(path)
    refuse_unfit(checkpoint)
    return with_architecture(checkpoint, Hints())


def _said(checkpoint: Checkpoint, manifests: bool) -> dict[str, object]:
    """Return what a checkpoint says of itself, as JSON data."""
    fields: dict[str, object] = {
        "model_config": to_json(checkpoint.model_config),
        "spaces": to_json(checkpoint.spaces),
        "preprocessing": to_json(list(checkpoint.preprocessing)),
        "postprocessing": to_json(list(checkpoint.postprocessing)),
        "training_info": to_json(checkpoint.training_info),
    }
    manifest = carried(checkpoint)
    return fields | {name: manifest.get(name) for name in MANIFEST if manifests}


def _own_fields(architecture: Mapping[str, object]) -> dict[str, object]:
    graph = architecture.get("graph")
    ends = {name: graph.get(name) for name in ("inputs", "outputs")} if isinstance(graph, Mapping) else {}
    return {"family": architecture.get("family"), "config": architecture.get("config"), **ends}


def changes(before: object, after: object, place: str = "") -> Iterator[FieldChange]:
    """Yield every value in which two JSON documents differ.

    Objects are compared by key. Arrays of one length are compared by position where they hold
    objects, else as a whole.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            inner = f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}"
            yield from changes(before.get(key, _ABSENT), after.get(key, _ABSENT), inner)
    elif _aligned(before, after):
        for index, (left, right) in enumerate(zip(before, after, strict=True)):  # type: ignore[call-overload]
            yield from changes(left, right, f"{place}/{index}")
    elif before is _ABSENT:
        yield FieldChange(place, Change.ADDED, None, after)
    elif after is _ABSENT:
        yield FieldChange(place, Change.REMOVED, before, None)
    elif type(before) is not type(after) or before != after:
        yield FieldChange(place, Change.CHANGED, before, after)


def _aligned(before: object, after: object) -> bool:
    if not (isinstance(before, list) and isinstance(after, list)) or len(before) != len(after):
        return False
    return any(isinstance(item, Mapping | list) for item in before)


def _layers(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[LayerChange]:
    one, other = _by_name(before), _by_name(after)
    for name in dict.fromkeys((*one, *other)):
        left, right = one.get(name), other.get(name)
        if left is None:
            yield LayerChange(name, Change.ADDED, None, right)
        elif right is None:
            yield LayerChange(name, Change.REMOVED, left, None)
        elif left != right:
            yield LayerChange(name, Change.CHANGED, left, right)


def _by_name(architecture: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    graph = architecture.get("graph")
    layers = graph.get("layers") if isinstance(graph, Mapping) else None
    return {str(layer["name"]): layer for layer in layers or ()} if isinstance(layers, list) else {}


def _tensors(one: NamedTensors, other: NamedTensors) -> Tensors:
    common = [name for name in one if name in other]
    changed = [name for name in common if not same_bytes(one[name], other[name])]
    removed = {name: one[name] for name in one if name not in other}
    added = {name: other[name] for name in other if name not in one}
    renamed = tuple(_renamed(removed, added))
    gone, new = {name for name, _ in renamed}, {name for _, name in renamed}
    return Tensors(
        added=tuple(row(name, tensor) for name, tensor in added.items() if name not in new),
        removed=tuple(row(name, tensor) for name, tensor in removed.items() if name not in gone),
        renamed=renamed,
        changed=tuple(_change(name, one[name], other[name]) for name in changed),
        same=len(common) - len(changed),
    )


def _renamed(removed: NamedTensors, added: NamedTensors) -> Iterator[tuple[str, str]]:
    """Pair tensors of equal type, shape and bytes; where several are equal, in the order of the files."""
    known: dict[tuple[object, ...], list[str]] = defaultdict(list)
    kinds = {(tensor.dtype.name, tensor.shape) for tensor in added.values()}
    for name, tensor in removed.items():
        if (tensor.dtype.name, tensor.shape) in kinds:
            known[_identity(tensor)].append(name)
    kinds = {(dtype, shape) for dtype, shape, _ in known}  # type: ignore[misc]
    for name, tensor in added.items():
        if (tensor.dtype.name, tensor.shape) in kinds:
            names = known[_identity(tensor)]
            if names:
                yield names.pop(0), name


def _identity(tensor: Tensor) -> tuple[object, ...]:
    return tensor.dtype.name, tensor.shape, tensor_sha256(tensor)


def _change(name: str, one: Tensor, other: Tensor) -> TensorChange:
    apart = distance(one, other) if one.shape == other.shape else None
    return TensorChange(name, row(name, one), row(name, other), apart)


def row(name: str, tensor: Tensor) -> TensorRow:
    """Return a tensor as reports list it."""
    return TensorRow(name, tensor.dtype.name, tensor.shape, tensor.nbytes)
