"""Blocks of code in the documents: found, and run where they can be.

| tag | what a test does with it |
|---|---|
| `python` | executes it, in one namespace a document |
| `bash` | runs it with `bash -e`; it must exit 0 |
| `console` | runs each `$ ` line; the lines behind it are its output, `…` standing for anything |
| `text`, `json`, `mermaid`, `yaml` | nothing here |

A comment `<!-- not run: REASON -->` before a block says why it is not run.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.corpus import CHECKOUT

BLOCK = re.compile(r"(?P<before>[^\n]*)\n```(?P<tag>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"<!-- not run: \S.*-->")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        line: Number of its first line.
        tag: The word behind the fence.
        body: Its text.
        run: Whether it is to be run.
    """

    line: int
    tag: str
    body: str
    run: bool


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a document in order."""
    text = "\n" + path.read_text(encoding="utf-8")
    return [
        Block(
            line=text.count("\n", 0, found.start("body")),
            tag=found["tag"].strip(),
            body=found["body"],
            run=not NOT_RUN.match(found["before"]),
        )
        for found in BLOCK.finditer(text)
    ]


def commands(body: str) -> list[tuple[str, str]]:
    """Return the commands of a `console` block, each with the output that is shown for it."""
    parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
    assert parts[0] == "", "a console block starts with a command"
    return [(command.strip(), shown) for command, _, shown in (part.partition("\n") for part in parts[1:])]


def matches(shown: str, printed: str) -> bool:
    """Whether `printed` is what `shown` says, `…` in it standing for anything."""
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def demo_zip() -> Path:
    """Return the zip that `make demo` and the documents use, as `docs/demo.sh` names it."""
    script = (CHECKOUT / "docs" / "demo.sh").read_text(encoding="utf-8")
    found = re.search(r"^source=.*?(fixtures/\S+\.zip)", script, re.MULTILINE)
    assert found, "docs/demo.sh names no fixture"
    return CHECKOUT / found[1]
