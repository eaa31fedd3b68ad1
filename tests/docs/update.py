"""Write the output of every `console` block anew: `python -m tests.docs.update README.md`.

A line that still matches is left as it is, with its `…`.
"""

import contextlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from fixtures import system_runs
from tests.docs.blocks import blocks, commands, demo_zip, matches
from tests.docs.conftest import Place, furnish


def update(path: Path, place: Place) -> None:
    """Run the blocks of a document and write what the console blocks show."""
    text = path.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(path):
        if block.run and block.tag == "bash":
            place.bash(block.body)
        elif block.run and block.tag == "python":
            with contextlib.chdir(place.folder):
                exec(compile(block.body, str(path), "exec"), namespace)  # noqa: S102
        elif block.run and block.tag == "console":
            text = text.replace(f"```console\n{block.body}```", f"```console\n{_body(block.body, place)}```")
    path.write_text(text, encoding="utf-8")


def _body(body: str, place: Place) -> str:
    parts = []
    for command, shown in commands(body):
        printed = place.bash(command).stdout
        kept = shown if matches(shown, printed) else _kept(shown, printed)
        parts.append(f"$ {command}\n{kept.strip()}\n")
    return "\n".join(parts)


def _kept(shown: str, printed: str) -> str:
    loose = [line for line in shown.splitlines() if "…" in line]
    return "\n".join(
        next((old for old in loose if matches(old, line)), line) for line in printed.splitlines()
    )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as tools:
            place = furnish(Path(folder), Path(tools), demo_zip())
            path = Path(name)
            if path.parent.name == "systems":
                system_runs.make(place.folder)
                system = "snake" if path.stem == "rl-snake" else path.stem
                place = replace(place, folder=place.folder / system)
            update(path, place)
