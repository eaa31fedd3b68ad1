"""What `migrate` did, as `schemas/migrate-report-1.0` defines it."""

from ckptkit.model.migration import Migrated, Migration, tally
from ckptkit.report.json_report import SCHEMA, Object, text


def migration(done: Migration) -> str:
    """Return the report as JSON."""
    return text(
        {
            "$schema": SCHEMA.format("migrate-report"),
            "source": done.source,
            "target": done.target,
            "to": done.to,
            "dry_run": done.dry_run,
            "files": [_file(file) for file in done.files],
            "summary": tally(done.files),
        }
    )


def _file(file: Migrated) -> Object:
    return {
        "path": file.path,
        "fate": str(file.fate),
        "target": file.target,
        "backup": file.backup,
        "format": file.format,
        "level": file.level,
        "content_digest": file.content_digest,
        "sidecars": list(file.sidecars),
        "reason": file.reason,
        "fix": file.fix,
        "notes": list(file.notes),
    }
