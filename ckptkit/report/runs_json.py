"""What the `runs` commands found and did, as `schemas/runs-report-1.0` defines it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from ckptkit.model.runs import Artifact, Choice, Integrity, Retention, Selection, Skipped
from ckptkit.model.tree import to_json
from ckptkit.report.json_report import SCHEMA, Object, text


def selection(found: Selection) -> str:
    """Return what was listed or chosen."""
    facts: Object = {"directory": found.directory, "by": found.by, "metric": found.metric}
    chosen = [_choice(one) for one in found.chosen]
    return _document("selection", facts | {"chosen": chosen, "skipped": _skipped(found.skipped)})


def retention(done: Retention) -> str:
    """Return what stays and what goes."""
    files = [
        {"path": str(file.path), "bytes": file.bytes, "kept": bool(file.reason), "reason": file.reason}
        for file in done.files
    ]
    gone = done.removed
    summary = {
        "kept": len(done.files) - len(gone),
        "removed": len(gone),
        "bytes": sum(file.bytes for file in gone),
    }
    facts: Object = {"directory": done.directory, "dry_run": done.dry_run}
    return _document("retention", facts | {"files": files, "summary": summary})


def artifact(done: Artifact) -> str:
    """Return what was published."""
    return _document("artifact", {"artifact": {**asdict(done), "aliases": list(done.aliases)}})


def integrity(done: Integrity) -> str:
    """Return what is wrong with a registry."""
    facts: Object = {"registry": done.registry, "checked": done.checked}
    return _document("integrity", facts | {"problems": _skipped(done.problems)})


def _document(kind: str, facts: Mapping[str, object]) -> str:
    return text({"$schema": SCHEMA.format("runs-report"), "kind": kind, **facts})


def _choice(one: Choice) -> Object:
    entry = one.entry
    return {
        "path": str(one.path),
        "system": entry.system,
        "format": entry.format,
        "step": entry.step,
        "step_from": entry.step_from,
        "bytes": entry.bytes,
        "value": to_json(one.value),
        "metrics": {name: to_json(value) for name, value in entry.metrics.items()},
    }


def _skipped(skipped: Iterable[Skipped]) -> list[Object]:
    return [{"path": str(one.path), "reason": one.reason} for one in skipped]
