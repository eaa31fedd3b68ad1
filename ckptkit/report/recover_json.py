"""What `recover` found, as `schemas/recover-report-1.0` defines it."""

from ckptkit.model.results import Recovery
from ckptkit.report.json_report import SCHEMA, text


def recovery(found: Recovery) -> str:
    """Return the report as one JSON object; `rejected` is there where it was asked for."""
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
    return text(document)
