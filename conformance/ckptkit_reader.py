"""ckptkit as a reader of conformance vectors, called as `run.py` says."""

import argparse
import json
from collections.abc import Sequence

from ckptkit import api
from ckptkit.model.extras import missing
from ckptkit.model.finding import Severity
from ckptkit.model.levels import DEPLOYABLE


def answer(path: str, level: int, *, strict: bool) -> dict[str, object]:
    """Return what ckptkit says of one path, in the form that `run.py` asks for."""
    lacking = missing("onnx", "onnx", "onnxruntime") if level == DEPLOYABLE else ""
    if lacking:
        return {"path": path, "claims": False, "why": f"level {level} needs {lacking}"}
    (result,) = api.validate(path, level=level, strict=strict).results
    errors = {found.code for found in result.findings if found.severity is Severity.ERROR}
    notes = {found.code for found in result.findings} - errors
    return {
        "path": path,
        "valid": not errors,
        "level": result.level,
        "codes": sorted(errors),
        "notes": sorted(notes),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print an answer a path."""
    parser = argparse.ArgumentParser(description="Answer conformance vectors with ckptkit.")
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("paths", nargs="+")
    given = parser.parse_args(arguments)
    for path in given.paths:
        print(json.dumps(answer(path, given.level, strict=given.strict)), flush=True)


if __name__ == "__main__":
    main()
