"""Hold a reader to the conformance vectors.

    python conformance/run.py --command "node conformance/reader.mjs"

The command is called as `COMMAND --level N [--strict] PATH...` and prints one JSON object a PATH and line:
`{"path": …, "valid": …, "level": …, "codes": […], "notes": […]}`, or `{"path": …, "claims": false, "why": …}`
for what it does not check. A path without an answer is a failure, which is what a crash is. This program
needs the standard library alone, so that it can be copied with the vectors.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parent.parent / "fixtures" / "conformance"
TOGETHER = 100
"""Paths that are given to one call."""
UNCLAIMED = "not claimed"
SECONDS = 120
"""Time that one call may take."""
Case = Mapping[str, Any]


def load(folder: Path) -> dict[str, Case]:
    """Return the cases of a folder of vectors by the path of their input."""
    found = {}
    for path in sorted(folder.glob("*/case.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        found[str(path.parent / case["input"])] = case
    return found


def ask(command: Sequence[str], cases: Mapping[str, Case], together: int = TOGETHER) -> dict[str, Case]:
    """Return the answers of a reader by path; a path is absent where it crashed or said nothing."""
    answers: dict[str, Case] = {}
    options = sorted(cases, key=lambda path: (cases[path]["level"], cases[path]["strict"]))
    for (level, strict), paths in groupby(
        options, lambda path: (cases[path]["level"], cases[path]["strict"])
    ):
        given = list(paths)
        for start in range(0, len(given), together):
            words = [
                "--level",
                str(level),
                *(["--strict"] if strict else []),
                *given[start : start + together],
            ]
            answers |= dict(_call([*command, *words]))
    return answers


def _call(words: Sequence[str]) -> Iterator[tuple[str, Case]]:
    try:
        run = subprocess.run(words, capture_output=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{words[0]}: {error}", file=sys.stderr)
        return
    if run.returncode:
        sys.stderr.write(run.stderr.decode(errors="replace"))
    for line in run.stdout.splitlines():
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, dict) and isinstance(answer.get("path"), str):
            yield answer["path"], answer


def judge(case: Case, answer: Case | None) -> str:
    """Say in what an answer differs from its case; empty where in nothing, `not claimed` where it says so."""
    if answer is None:
        return "crashed, or gave no answer"
    if answer.get("claims") is False:
        return UNCLAIMED
    try:
        codes, notes = set(answer["codes"]), set(answer.get("notes", ()))
        valid, level = answer["valid"], answer["level"]
    except (KeyError, TypeError):
        return f"is no answer: {json.dumps(answer)[:200]}"
    allowed = {*case["codes"], *case["besides"]}
    wrong = (
        (valid != case["valid"], f"valid is {valid}, expected {case['valid']}"),
        (level != case["reached"], f"level is {level}, expected {case['reached']}"),
        (not codes.issuperset(case["codes"]), f"codes are {sorted(codes)}, lacking {case['codes']}"),
        (not codes <= allowed, f"codes are {sorted(codes)}, expected no more than {sorted(allowed)}"),
        (not notes.issuperset(case["notes"]), f"notes are {sorted(notes)}, lacking {case['notes']}"),
    )
    return "; ".join(words for is_wrong, words in wrong if is_wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the vectors; return 0 where every one that is claimed passes."""
    parser = argparse.ArgumentParser(description="Hold a reader to the conformance vectors.")
    parser.add_argument("--command", required=True, help="the reader, with its own options")
    parser.add_argument("--vectors", type=Path, default=VECTORS, help="folder of vectors")
    parser.add_argument("--together", type=int, default=TOGETHER, help="paths given to one call")
    parser.add_argument("--least", type=int, default=1, help="vectors that must be claimed")
    given = parser.parse_args(arguments)
    cases = load(given.vectors)
    answers = ask(shlex.split(given.command), cases, max(given.together, 1))
    verdicts = {path: judge(case, answers.get(path)) for path, case in cases.items()}
    failed = {path: verdict for path, verdict in verdicts.items() if verdict not in ("", UNCLAIMED)}
    for path, verdict in failed.items():
        print(f"{Path(path).parent.name}: {verdict}")
    passed = [cases[path] for path, verdict in verdicts.items() if not verdict]
    invalid, unclaimed = sum(not case["valid"] for case in passed), list(verdicts.values()).count(UNCLAIMED)
    print(f"{len(passed)} passed ({invalid} invalid), {len(failed)} failed, {unclaimed} not claimed")
    enough = len(cases) - unclaimed >= given.least
    if not enough:
        print(f"fewer than {given.least} vectors are claimed")
    return int(bool(failed) or not enough)


if __name__ == "__main__":
    sys.exit(main())
