"""Write `docs/traceability.md`: each requirement with the rules that enforce it and the vectors that show it.

Run it from anywhere after a change to a requirement, a rule or a vector: `python docs/make_traceability.py`.
A test compares the page with what there is.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ckptkit import checks  # noqa: E402 -- run from anywhere
from tests.spec import prose  # noqa: E402

PAGE = ROOT / "docs" / "traceability.md"
VECTORS = ROOT / "fixtures" / "conformance"
TESTS = (ROOT / "tests" / "spec" / "test_recovery.py",)
"""Files whose tests are named after the requirement that they hold."""
SHOWN = 4
"""Vectors named in a cell; the rest is counted."""
HEAD = """# Traceability

Each requirement of [spec/](../spec/README.md), the [rules](rules/README.md) that enforce it, and the
[conformance vectors](conformance.md) that keep it and that break it. Requirements on programs that recover a
network are not on bundles: no vector can show them, and each has a test instead.

"""


@cache
def cases() -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Return name and content of each vector's case."""
    paths = sorted(VECTORS.glob("*/case.json"))
    return tuple((path.parent.name, json.loads(path.read_text(encoding="utf-8"))) for path in paths)


def documents() -> dict[str, str]:
    """Return the document of each requirement, in the order of the specification's own list."""
    return {
        match[1]: place.partition(":")[0]
        for place, text in prose.all_units()
        if (match := prose.ID.match(text))
    }


@cache
def tests() -> Mapping[str, str]:
    """Return the test of each requirement that has one of its own."""
    found = {}
    for path in TESTS:
        for name in re.findall(
            r"^def (test_rec_[0-9]{3}_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            found[f"REC-{name[9:12]}"] = f"`{path.relative_to(ROOT).as_posix()}::{name}`"
    return found


def rows() -> Iterator[tuple[str, str, list[str], list[str], list[str]]]:
    """Yield (id, document, rules, vectors that keep it, vectors that break it) for each requirement."""
    for must, document in documents().items():
        enforcing = [rule.code for rule in checks.rules() if must in rule.musts]
        named = [(name, case) for name, case in cases() if must in case["must"]]
        kept = [name for name, case in named if case["valid"]]
        broken = [name for name, case in named if not case["valid"]]
        yield must, document, enforcing, kept, broken


def page() -> str:
    """Return the text of the page."""
    parts, last = [HEAD], ""
    for must, document, enforcing, kept, broken in rows():
        if document != last:
            parts.append(f"{chr(10) if last else ''}## [{document}](../{document})\n\n")
            parts.append("| requirement | rules | kept by | broken by |\n|---|---|---|---|\n")
            last = document
        if must in tests():
            parts.append(f"| {must} | | {tests()[must]} | |\n")
            continue
        links = ", ".join(f"[{code}](rules/{code}.md)" for code in enforcing)
        parts.append(f"| {must} | {links} | {_named(kept)} | {_named(broken)} |\n")
    return "".join(parts)


def _named(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
