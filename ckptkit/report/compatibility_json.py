"""How far a checkpoint fits, as `schemas/compat-report-1.0` defines it."""

from ckptkit.model.compatibility import Compatibility, Reason
from ckptkit.report.json_report import SCHEMA, Object, text


def compatibility(found: Compatibility) -> str:
    """Return the report as JSON."""
    return text(
        {
            "$schema": SCHEMA.format("compat-report"),
            "path": found.path,
            "against": found.against,
            "fit": str(found.fit),
            "compared": [str(aspect) for aspect in found.compared],
            "reasons": [_reason(reason) for reason in found.reasons],
            "beside": list(found.beside),
            "ways": list(found.ways),
        }
    )


def _reason(reason: Reason) -> Object:
    return {
        "aspect": str(reason.aspect),
        "fit": str(reason.fit),
        "place": reason.place,
        "message": reason.message,
    }
