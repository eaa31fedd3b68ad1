"""What `scan` found, as `schemas/scan-report-1.0` defines it."""

from ckptkit.model.scanned import GRAVITY, Part, Scan, Scanned
from ckptkit.report.json_report import SCHEMA, Object, text


def scan(done: Scan) -> str:
    """Return the report as JSON."""
    verdicts = [one.verdict for one in done.results if one.kind]
    return text(
        {
            "$schema": SCHEMA.format("scan-report"),
            "results": [_result(one) for one in done.results],
            "skipped": list(done.skipped),
            "summary": {
                "scanned": len(verdicts),
                "not_scanned": len(done.results) - len(verdicts),
                "skipped": len(done.skipped),
                **{str(verdict): verdicts.count(verdict) for verdict in GRAVITY},
            },
        }
    )


def _result(one: Scanned) -> Object:
    return {
        "path": one.path,
        "kind": one.kind,
        "verdict": str(one.verdict),
        "incomplete": one.incomplete,
        "parts": [_part(part) for part in one.parts],
        "findings": [
            {
                "code": finding.code,
                "severity": str(finding.severity),
                "location": finding.location,
                "message": finding.message,
                "fix": finding.fix,
            }
            for finding in one.findings
        ],
    }


def _part(part: Part) -> Object:
    return {
        "place": part.place,
        "kind": part.kind,
        "bytes": part.size,
        "verdict": str(part.verdict),
        "carries_code": part.carries_code,
        "problem": part.problem,
        "globals": [use._asdict() for use in part.globals],
        "code": [fact._asdict() for fact in part.code],
    }
