"""What `recover` found, as `schemas/recover-report-1.0` defines it."""

import math
from collections.abc import Sequence

from ckptkit.model.counterexample import Counterexample
from ckptkit.model.results import Recovery
from ckptkit.report.json_report import SCHEMA, text


def recovery(found: Recovery | Sequence[Recovery]) -> str:
    """Return the report as one JSON object, or an array of them for a sequence."""
    return text([_document(one) for one in found] if isinstance(found, Sequence) else _document(found))


def _document(found: Recovery) -> dict[str, object]:
    """Return the report on one checkpoint; `rejected` is there where it was asked for."""
    document: dict[str, object] = {
        "$schema": SCHEMA.format("recover-report"),
        "path": found.path,
        "format": found.format,
        "family": found.family,
        "config": {name: dict(one) for name, one in found.fields.items()},
        "unexplained": list(found.unexplained),
        "graph": found.graph,
        "assumed": list(found.assumed),
        "questions": list(found.questions),
    }
    if found.parts:
        document["parts"] = list(found.parts)
    if found.rejected is not None:
        document["rejected"] = [
            {"family": one.family, "nearest": one.nearest, "relation": one.relation} for one in found.rejected
        ]
    if found.counterexamples is not None:
        document["counterexamples"] = [_counterexample(one) for one in found.counterexamples]
    return document


def _counterexample(one: Counterexample) -> dict[str, object]:
    """Return one result; an infinite difference, of outputs that differ in shape, is null."""
    finite = one.largest is not None and math.isfinite(one.largest)
    return {
        "field": one.name,
        "values": [one.first, one.second],
        "question": one.question,
        "inputs": one.inputs,
        "evaluator": one.evaluator,
        "found": bool(one.output),
        "output": one.output,
        "largest": one.largest if finite else None,
        "seed": one.seed,
        "row": one.row,
        "shapes": dict(one.shapes),
        "input": dict(one.input),
        "outputs": list(one.outputs),
    }
