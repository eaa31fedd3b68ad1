"""What `inspect` says of a directory of checkpoints, as `schemas/directory-report-1.0` defines it."""

from ckptkit.model.directory import Directory, Entry, Run

SCHEMA = "https://ckptkit.dev/schemas/directory-report-1.0.schema.json"
Object = dict[str, object]


def document(found: Directory) -> Object:
    """Return the report as JSON data; keys come in a fixed order."""
    return {
        "$schema": SCHEMA,
        "path": found.path,
        "bytes": found.bytes,
        "systems": dict(found.systems),
        "runs": [_run(run) for run in found.runs],
        "checkpoints": [_entry(entry) for entry in found.entries],
        "stray": [{"path": path, "message": message} for path, message in found.stray.items()],
    }


def _run(run: Run) -> Object:
    newest = run.newest
    return {
        "path": run.path,
        "systems": list(run.systems),
        "checkpoints": len(run.entries),
        "unusable": sum(entry.failure is not None for entry in run.entries),
        "bytes": run.bytes,
        "newest": newest.path if newest else None,
    }


def _entry(entry: Entry) -> Object:
    failure = entry.failure
    return {
        "path": entry.path,
        "run": entry.run,
        "status": failure.kind if failure else "readable",
        "system": entry.system or None,
        "format": entry.format or None,
        "format_version": entry.format_version,
        "verdict": str(entry.verdict) if entry.verdict is not None else None,
        "step": entry.step,
        "step_from": entry.step_from or None,
        "bytes": entry.bytes,
        "error": {"code": failure.code, "message": failure.what, "fix": failure.fix} if failure else None,
        "notes": [
            {"kind": note.kind, "message": note.message, "location": note.location} for note in entry.notes
        ],
    }
