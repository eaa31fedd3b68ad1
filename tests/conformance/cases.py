"""The conformance vectors that are committed."""

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "conformance"


@dataclass(frozen=True)
class Case:
    """One vector; `fixtures/conformance_case.py` says what its fields mean."""

    name: str
    must: tuple[str, ...]
    valid: bool
    rule: str | None
    level: int
    path: Path
    why: str
    strict: bool
    also: tuple[str, ...]


def load(path: Path) -> Case:
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Case(
        path.parent.name,
        tuple(raw.pop("must")),
        raw.pop("valid"),
        raw.pop("rule"),
        raw.pop("level"),
        path.parent / raw.pop("input"),
        raw.pop("why"),
        raw.pop("strict", False),
        tuple(raw.pop("also", ())),
    )


CASES = [load(path) for path in sorted(FOLDER.glob("*/case.json"))]
