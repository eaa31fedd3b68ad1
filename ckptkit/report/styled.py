"""Lines of styled spans, and their two forms: plain text, and text for a terminal.

Rich is imported for the second form alone, so that piped output costs no start-up time.
"""

from collections.abc import Iterable
from unicodedata import combining, east_asian_width

Span = tuple[str, str]
"""Text and style; the style is one of `STYLES`, or empty."""
Line = list[Span]

STYLES = {
    "name": "bold",
    "input": "blue",
    "head": "magenta",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "note": "cyan",
    "dim": "dim",
}


def line(*parts: str | Span) -> Line:
    """Make a line of unstyled text and spans, each made safe for one line of a terminal."""
    return [(one_line(part), "") if isinstance(part, str) else (one_line(part[0]), part[1]) for part in parts]


def one_line(text: str) -> str:
    """Return `text` with control characters and lone surrogates written as escapes.

    A name in a hostile file must not move the cursor, forge a line or break the encoding.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def lines_of(text: str) -> str:
    """Return `text` as `one_line` does, with its ends of lines kept."""
    return "\n".join(map(one_line, text.split("\n")))


def columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes; a wide character takes two, an accent none."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def render(lines: Iterable[Line], *, color: bool) -> str:
    """Return the lines as text that ends in a newline; no line is wrapped or cut."""
    if color:
        return _for_terminal(lines)
    return "".join("".join(text for text, _ in one).rstrip() + "\n" for one in lines)


def _for_terminal(lines: Iterable[Line]) -> str:
    import io

    from rich.console import Console
    from rich.text import Text

    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", no_color=False)
    with console.capture() as captured:
        for one in lines:
            text = Text()
            for part, style in one:
                text.append(part, STYLES.get(style, ""))
            console.print(text, soft_wrap=True, highlight=False)
    return captured.get()
