"""The conformance vectors that are committed."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "conformance"


@dataclass(frozen=True)
class Case:
    """One vector; `schemas/conformance-case-1.0.schema.json` says what its fields mean."""

    name: str
    path: Path
    why: str
    level: int
    strict: bool
    valid: bool
    reached: int
    codes: tuple[str, ...]
    besides: tuple[str, ...]
    notes: tuple[str, ...]
    advice: tuple[str, ...]
    must: tuple[str, ...]
    spec: tuple[str, ...]

    def problem(self, errors: set[str], others: set[str], reached: int) -> str:
        """Say in what an answer differs from the one that is expected; empty where in nothing."""
        wrong = (
            (bool(errors) == self.valid, f"{sorted(errors)} are errors, valid is {self.valid}"),
            (not set(self.codes) <= errors, f"{sorted(set(self.codes) - errors)} did not fire"),
            (not errors <= {*self.codes, *self.besides}, f"{sorted(errors)} fired, {self.codes} are broken"),
            (not {*self.notes, *self.advice} <= others, f"only {sorted(others)} were mentioned"),
            (reached != self.reached, f"level {reached} is reached, {self.reached} is expected"),
        )
        return "; ".join(words for is_wrong, words in wrong if is_wrong)


def load(path: Path) -> Case:
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    given |= {"name": path.parent.name, "path": path.parent / given.pop("input")}
    return Case(**{field.name: given.pop(field.name) for field in fields(Case)}, **given)


CASES = [load(path) for path in sorted(FOLDER.glob("*/case.json"))]
