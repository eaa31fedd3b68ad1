"""What `repair` did, as `schemas/repair-report-1.0` defines it."""

from ckptkit.model.repaired import Left, Mend, Repaired
from ckptkit.report.json_report import SCHEMA, Object, text, validation


def repaired(done: Repaired) -> str:
    """Return the report as JSON."""
    return text(
        {
            "$schema": SCHEMA.format("repair-report"),
            "path": done.path,
            "written": done.written,
            "mends": [_mend(mend) for mend in done.mends],
            "left": [_left(left) for left in done.left],
            "validation": validation(done.validation),
        }
    )


def _mend(mend: Mend) -> Object:
    return {
        "fault": str(mend.fault),
        "path": mend.path,
        "change": mend.change,
        "proof": mend.proof,
        "backup": mend.backup,
    }


def _left(left: Left) -> Object:
    return {"fault": str(left.fault), "path": left.path, "why": left.why, "fix": left.fix}
