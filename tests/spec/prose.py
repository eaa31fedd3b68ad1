"""The specification as data: its requirements and its examples."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"
INDEX = SPEC / "README.md"
ID = re.compile(r"\[([A-Z][A-Z0-9]{2}-[0-9]{3})\]")
KEYWORD = re.compile(r"\bMUST(?: NOT)?\b")
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced example: where it stands, its info string, its text."""

    place: str
    info: str
    text: str

    @property
    def tags(self) -> dict[str, str]:
        """The words behind the language, `a=b` as a pair and `a` with an empty value."""
        return dict(word.partition("=")[::2] for word in self.info.split()[1:])


def documents() -> list[Path]:
    """Return every document, the index among them."""
    return sorted(SPEC.rglob("*.md"))


def name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def blocks() -> list[Block]:
    """Return every fenced block of every document."""
    found = []
    for document in documents():
        text = document.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(f"{name(document)}:{line}", match[1].strip(), match[2]))
    return found


def json_blocks(tag: str) -> list[Block]:
    return [block for block in blocks() if block.info.split()[:1] == ["json"] and tag in block.tags]


def units(document: Path) -> Iterator[tuple[str, str]]:
    """Yield (place, text) for each paragraph, list item and table cell outside examples."""
    text = FENCE.sub(lambda match: "\n" * match[0].count("\n"), document.read_text(encoding="utf-8"))
    for part in re.finditer(r"(?:(?!\n\s*\n|\n(?:[-*|]|[0-9]+\.) ).)+", text, re.DOTALL):
        line = text.count("\n", 0, part.start() + len(part[0]) - len(part[0].lstrip())) + 1
        cells = part[0].strip().split(" | ") if part[0].strip().startswith("|") else [part[0].strip()]
        for cell in cells:
            yield f"{name(document)}:{line}", re.sub(r"^(?:[-*|]|[0-9]+\.)\s+", "", cell)


def requirements() -> dict[str, str]:
    """Return the text of each requirement by its id."""
    return {match[1]: text for _, text in all_units() if (match := ID.match(text))}


def all_units() -> Iterator[tuple[str, str]]:
    for document in documents():
        if document != INDEX:
            yield from units(document)
