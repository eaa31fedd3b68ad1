"""Write `docs/rules/`: one page a rule, and a table of all, from the rules themselves.

Run it from anywhere after a change to a rule: `python docs/make_rules.py`. A test compares the
pages with the rules, so that neither goes its own way.
"""

import json
from contextlib import chdir
from dataclasses import replace
from functools import cache
from pathlib import Path

from ckptkit import api, report
from ckptkit.checks import Rule, rules
from ckptkit.model.levels import NAMES

FOLDER = Path(__file__).with_name("rules")
SPEC = {
    "ARC": "architecture.md",
    "BUN": "bundle.md",
    "CKD": "legacy/checkpoint-dict.md",
    "DEP": "deploy.md",
    "INT": "integrity.md",
    "LEG": "legacy/torch-legacy.md",
    "LEV": "levels.md",
    "LIM": "limits.md",
    "MAN": "manifest.md",
    "ONX": "legacy/onnx.md",
    "PKL": "legacy/pickles.md",
    "SB3": "legacy/sb3-zip.md",
    "SNK": "legacy/rl-snake.md",
    "TOR": "torch-dict.md",
    "VER": "versioning.md",
    "ZIP": "legacy/torch-zip.md",
}
"""Document of `spec/` that states the requirements of each prefix."""
VECTORS = Path(__file__).parents[1] / "fixtures" / "conformance"
EXAMPLES = json.loads(Path(__file__).with_name("rule_examples.json").read_text(encoding="utf-8"))
"""What `validate` prints for rules on what no committed file can have, or on legacy files alone."""


def page(rule: Rule) -> str:
    """Return the page on one rule."""
    stricter = f"; {rule.strict} under `--strict`" if rule.strict else ""
    parts = [
        f"# {rule.code} {rule.name}",
        f"{rule.severity}{stricter} · level {rule.level} {NAMES[rule.level]}",
        rule.summary,
        f"## Example\n\n```text\n{example(rule.code)}\n```",
        f"## Why\n\n{rule.why}",
        f"## What to do\n\n{rule.fix}",
    ]
    if rule.musts:
        links = ", ".join(f"[{must}](../../spec/{SPEC[must.partition('-')[0]]})" for must in rule.musts)
        parts.append(f"## Requirements\n\n{links}")
    return "\n\n".join(parts) + "\n"


def example(code: str) -> str:
    """Return what `validate` prints for the smallest vector that the rule fires on."""
    if code in EXAMPLES:
        return EXAMPLES[code]
    folder, case = min(
        (
            (path, case)
            for path, case in _cases()
            if code in (*case["codes"], *case["notes"], *case["advice"])
        ),
        key=lambda one: (len(one[1]["codes"]) + len(one[1]["besides"]), one[0].name),
    )
    with chdir(folder):
        (result,) = api.validate(case["input"], level=case["level"], strict=case["strict"]).results
    shown = tuple(finding for finding in result.findings if finding.code == code)[:1]
    return report.validation(replace(result, findings=shown)).rstrip()


@cache
def _cases() -> tuple[tuple[Path, dict], ...]:
    paths = sorted(VECTORS.glob("*/case.json"))
    return tuple((path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in paths)


def index() -> str:
    """Return the table of all rules."""
    rows = [
        f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.severity} | {rule.level} | {rule.summary} |"
        for rule in rules()
    ]
    head = "# Rules\n\n`ckptkit explain CODE` says the same, without the example.\n\n"
    columns = "| code | name | severity | level | fires when |\n|---|---|---|---|---|\n"
    return head + columns + "\n".join(rows) + "\n"


def pages() -> dict[str, str]:
    """Return every file of `docs/rules/` by name."""
    return {"README.md": index()} | {f"{rule.code}.md": page(rule) for rule in rules()}


def main() -> None:
    """Write the pages and remove those of rules that are gone."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for stale in set(FOLDER.glob("*.md")) - {FOLDER / name for name in made}:
        stale.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
