"""In what two checkpoints differ, as `schemas/diff-report-1.0` defines it."""

from dataclasses import asdict

from ckptkit.model.difference import Difference, FieldChange, LayerChange, TensorChange, Tensors
from ckptkit.model.results import TensorRow
from ckptkit.model.tree import to_json
from ckptkit.report.json_report import SCHEMA, Object, text


def difference(found: Difference) -> str:
    """Return the report as JSON."""
    return text(
        {
            "$schema": SCHEMA.format("diff-report"),
            "a": {"path": found.a, "format": found.formats[0]},
            "b": {"path": found.b, "format": found.formats[1]},
            "equal": found.equal,
            "fields": [_field(change) for change in found.fields],
            "config": [_field(change) for change in found.config],
            "layers": [_layer(change) for change in found.layers],
            "tensors": _tensors(found.model),
            "training_tensors": _tensors(found.training),
        }
    )


def _field(change: FieldChange) -> Object:
    sides: Object = {"before": change.before, "after": change.after}
    return {"place": change.place, "change": str(change.change), **sides}


def _layer(change: LayerChange) -> Object:
    sides: Object = {"before": change.before, "after": change.after}
    return {"name": change.name, "change": str(change.change), **sides}


def _tensors(found: Tensors) -> Object:
    return {
        "same": found.same,
        "added": [_row(row) for row in found.added],
        "removed": [_row(row) for row in found.removed],
        "renamed": [{"before": before, "after": after} for before, after in found.renamed],
        "changed": [_changed(change) for change in found.changed],
    }


def _row(row: TensorRow) -> Object:
    return {"name": row.name, "dtype": row.dtype, "shape": list(row.shape), "nbytes": row.nbytes}


def _changed(change: TensorChange) -> Object:
    apart = to_json(asdict(change.distance)) if change.distance is not None else None
    return {
        "name": change.name,
        "before": {"dtype": change.before.dtype, "shape": list(change.before.shape)},
        "after": {"dtype": change.after.dtype, "shape": list(change.after.shape)},
        "distance": apart,
    }
