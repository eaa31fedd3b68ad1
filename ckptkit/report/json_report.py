"""The JSON reports, as `schemas/*-report-1.0` and `schemas/convert-receipt-1.0` define them.

Keys come in a fixed order and lists in the order of the results, so that equal results give equal
text. Trees are encoded as `model.tree` does it: no non-finite number is ever a literal.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ckptkit.model.baseline import Pardoned
from ckptkit.model.checkpoint import Dropped, Note
from ckptkit.model.directory import Directory
from ckptkit.model.finding import Finding
from ckptkit.model.inert import CodeFact, GlobalUse
from ckptkit.model.results import Export, Inspection, Receipt, Report, TensorRow, Validation, Written
from ckptkit.model.tree import to_json
from ckptkit.report import directory_json
from ckptkit.report.tally import tally

if TYPE_CHECKING:
    from ckptkit.checks import Rule

SCHEMA = "https://ckptkit.dev/schemas/{}-1.0.schema.json"
Object = dict[str, object]


def inspections(found: Sequence[Inspection | Directory], *, several: bool = False) -> str:
    """Return one object for one checkpoint or directory, unless there might be several; else an array."""
    documents = [
        directory_json.document(one) if isinstance(one, Directory) else _inspection(one) for one in found
    ]
    return one_or_all(documents, several=several)


def one_or_all(documents: Sequence[Object], *, several: bool) -> str:
    """Return the only document as an object; any other number, and those of `several`, as an array."""
    return text(documents[0] if len(documents) == 1 and not several else documents)


def validations(report: Report) -> str:
    """Return the report on all checkpoints."""
    return text(
        {
            "$schema": SCHEMA.format("validate-report"),
            "results": [validation(result) for result in report.results],
            "skipped": list(report.skipped),
            "remarks": list(report.remarks),
            "summary": tally(report),
        }
    )


def receipt(done: Receipt) -> str:
    """Return the receipt of a conversion."""
    return text(
        {
            "$schema": SCHEMA.format("convert-receipt"),
            "source": done.source,
            "source_format": done.source_format,
            "target": done.target,
            "to": done.to,
            "dry_run": done.dry_run,
            "files_read": done.files_read,
            "verdict": str(done.verdict),
            "level": done.level,
            "written": _written(done.written) if done.written is not None else None,
            "changed": list(done.changed),
            "adapted": list(done.adapted),
            "dropped": [_dropped(entry) for entry in done.dropped],
            "assumed": list(done.assumed),
            "notes": [_note(note) for note in done.notes],
            "code": [_code(fact) for fact in done.code],
        }
    )


def export(done: Export) -> str:
    """Return the receipt of an export."""
    return text(
        {
            "$schema": SCHEMA.format("export-receipt"),
            "source": done.source,
            "source_format": done.source_format,
            "target": done.target,
            "dry_run": done.dry_run,
            "opset": done.opset,
            "ir_version": done.ir_version,
            "inputs": list(done.inputs),
            "outputs": list(done.outputs),
            "shared": done.shared,
            "normalized": done.normalized,
            "content_digest": done.content_digest,
            "files": [{"path": path, "size": size, "sha256": digest} for path, size, digest in done.files],
            "parity": asdict(done.parity) if done.parity is not None else None,
            "assumed": list(done.assumed),
            "notes": [_note(note) for note in done.notes],
        }
    )


def rules(known: "Sequence[Rule]", *, single: bool = False) -> str:
    """Return the rules as an array, or the one rule as an object."""
    documents = [_rule(rule) for rule in known]
    return text(documents[0] if single else documents)


def _inspection(found: Inspection) -> Object:
    return {
        "$schema": SCHEMA.format("inspect-report"),
        "path": found.path,
        "format": found.format,
        "format_version": found.format_version,
        "container": found.container,
        "bytes": found.bytes,
        "verdict": str(found.verdict),
        "level": found.level,
        "next_level": found.next_level,
        "content_digest": found.content_digest,
        "tensors": [_tensor(row) for row in found.tensors],
        "training_tensors": [_tensor(row) for row in found.training_tensors],
        "spaces": to_json(found.spaces),
        "architecture": found.architecture,
        "recovery": found.recovery,
        "model_config": to_json(found.model_config),
        "training_info": to_json(found.training_info),
        "preprocessing": [to_json(step) for step in _steps(found.preprocessing)],
        "code": [_code(fact) for fact in found.code],
        "globals": [_global(use) for use in found.globals],
        "dropped": [_dropped(entry) for entry in found.dropped],
        "notes": [_note(note) for note in found.notes],
    }


def _steps(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _tensor(row: TensorRow) -> Object:
    made: Object = {"name": row.name, "dtype": row.dtype, "shape": list(row.shape), "nbytes": row.nbytes}
    return made | {"alias_of": row.alias_of} if row.alias_of else made


def validation(result: Validation) -> Object:
    """Return the object of one checkpoint."""
    return {
        "path": result.path,
        "level": result.level,
        "next_level": result.next_level,
        "checked": result.checked,
        "verdict": str(result.verdict),
        "incomplete": result.incomplete or None,
        "not_compared": result.not_compared or None,
        "findings": [_finding(finding, result.path) for finding in result.findings],
        "accepted": [_accepted(one, result.path) for one in result.pardoned],
    }


def _accepted(one: Pardoned, path: str) -> Object:
    made: Object = {"finding": _finding(one.finding, path), "reason": one.entry.reason}
    return made | {"expires": one.entry.expires} if one.entry.expires else made


def _finding(finding: Finding, path: str) -> Object:
    made: Object = {
        "code": finding.code,
        "severity": str(finding.severity),
        "path": finding.path or path,
        "location": finding.location,
        "message": finding.message,
    }
    if finding.line:
        made["line"] = finding.line
    return made | {"fix": finding.fix} if finding.fix else made


def _written(written: Written) -> Object:
    return {
        "path": written.path,
        "files": [{"path": path, "size": size, "sha256": digest} for path, size, digest in written.files],
        "content_digest": written.content_digest,
        "bundle_digest": written.bundle_digest,
        "tensors": written.tensors,
        "aliases": written.aliases,
        "training_tensors": written.training_tensors,
    }


def _code(fact: CodeFact) -> Object:
    return {
        "kind": fact.kind,
        "name": fact.name,
        "where": fact.where,
        "names": list(fact.names),
        "constants": list(fact.constants),
    }


def _global(use: GlobalUse) -> Object:
    return {
        "module": use.module,
        "name": use.name,
        "where": use.where,
        "offset": use.offset,
        "allowed": use.allowed,
        "why": use.why,
    }


def _dropped(entry: Dropped) -> Object:
    return {"path": entry.path, "reason": entry.reason}


def _note(note: Note) -> Object:
    return {"kind": note.kind, "message": note.message, "location": note.location}


def _rule(rule: "Rule") -> Object:
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": str(rule.severity),
        "strict_severity": str(rule.strict or rule.severity),
        "level": rule.level,
        "summary": rule.summary,
        "why": rule.why,
        "fix": rule.fix,
        "musts": list(rule.musts),
    }


def text(document: Mapping[str, object] | Sequence[object]) -> str:
    """Write ASCII, so that neither a terminal's encoding nor an odd name can break the JSON."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"
