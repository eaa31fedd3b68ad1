"""In what two checkpoints differ, as text: a line a difference."""

import json
from collections.abc import Iterator, Mapping

from ckptkit.model.difference import (
    Change,
    Difference,
    Distance,
    FieldChange,
    LayerChange,
    TensorChange,
    Tensors,
)
from ckptkit.model.results import TensorRow
from ckptkit.report.styled import Line, Span, line
from ckptkit.report.words import plural

LABEL = 9
LONGEST = 80
"""Characters of a value; JSON has them all."""
LAYER_KEYS = ("type", "inputs", "attrs", "aliases")
SIGNS = {Change.ADDED: ("+", "good"), Change.REMOVED: ("-", "bad"), Change.CHANGED: ("~", "warn")}


def lines(found: Difference) -> Iterator[Line]:
    """Yield what is compared, each difference, and the counts."""
    yield line(("A", "dim"), f" {found.a} · {found.formats[0]}")
    yield line(("B", "dim"), f" {found.b} · {found.formats[1]}")
    for change in found.fields:
        yield _field("field", change)
    for change in found.config:
        yield _field("config", change)
    for layer in found.layers:
        yield from _layer(layer)
    yield from _tensors("tensor", found.model)
    yield from _tensors("training", found.training)
    yield line((_summary(found), "name"))


def _mark(label: str, change: Change) -> list[Span]:
    sign, style = SIGNS[change]
    return [(f"{label:<{LABEL}}", "dim"), (f"{sign} ", style)]


def _field(label: str, change: FieldChange) -> Line:
    values = {
        Change.ADDED: value(change.after),
        Change.REMOVED: value(change.before),
        Change.CHANGED: f"{value(change.before)} -> {value(change.after)}",
    }
    return line(*_mark(label, change.change), f"{change.place or '/'}: {values[change.change]}")


def value(found: object) -> str:
    """Return a value as JSON on one line, cut where it is long."""
    text = json.dumps(found, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _layer(change: LayerChange) -> Iterator[Line]:
    layer = change.after or change.before or {}
    mark = _mark("layer", change.change)
    if change.before is None or change.after is None:
        yield line(*mark, f"{change.name} {layer.get('type')} {_attrs(layer)}".rstrip())
        return
    sides = ((key, change.before.get(key), change.after.get(key)) for key in LAYER_KEYS)
    told = ", ".join(f"{key} {value(one)} -> {value(other)}" for key, one, other in sides if one != other)
    yield line(*mark, f"{change.name}: {told}")


def _attrs(layer: Mapping[str, object]) -> str:
    return value(layer["attrs"]) if layer.get("attrs") else ""


def _tensors(label: str, found: Tensors) -> Iterator[Line]:
    for row in found.removed:
        yield line(*_mark(label, Change.REMOVED), f"{row.name} {_kind(row)}")
    for row in found.added:
        yield line(*_mark(label, Change.ADDED), f"{row.name} {_kind(row)}")
    for before, after in found.renamed:
        yield line(*_mark(label, Change.CHANGED), f"{before} is named {after}")
    for change in found.changed:
        yield line(*_mark(label, Change.CHANGED), f"{change.name} {_kinds(change)}{_apart(change.distance)}")


def _kind(row: TensorRow) -> str:
    return f"{row.dtype}[{', '.join(map(str, row.shape))}]"


def _kinds(change: TensorChange) -> str:
    before, after = _kind(change.before), _kind(change.after)
    return before if before == after else f"{before} -> {after}"


def _apart(apart: Distance | None) -> str:
    if apart is None:
        return ""
    if not apart.elements:
        return " · equal values"
    cosine = "" if apart.cosine is None else f" · cosine {apart.cosine:.6f}"
    odd = f" · {apart.not_finite:,} with NaN or infinity" if apart.not_finite else ""
    count = f"{apart.elements:,} of {apart.total:,} elements"
    return f" · {count} · norm {apart.norm:.3g} · max |Δ| {apart.largest:.3g}{cosine}{odd}"


def _summary(found: Difference) -> str:
    same = plural(found.model.same + found.training.same, "tensor")
    if found.equal:
        return f"equal: {same} and all fields"
    count = len(found.fields) + len(found.config) + len(found.layers)
    for part in (found.model, found.training):
        count += sum(map(len, (part.added, part.removed, part.renamed, part.changed)))
    return f"{plural(count, 'difference')}; {same} equal"
