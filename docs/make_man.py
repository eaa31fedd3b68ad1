"""Write `docs/man/ckptkit.1`, the man page, from the commands themselves.

Run it from anywhere after a change to a command or an option: `python docs/make_man.py`. A test compares the
page with the commands, and has mandoc or groff read it where one of them is installed.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from ckptkit.cli import app
from ckptkit.version import SPEC_VERSION, __version__

PAGE = Path(__file__).parent / "man" / "ckptkit.1"
DATE = "2026-11-21"
"""Of the last change to what this file itself says."""
STATUS = (
    ("0", "Clean."),
    ("1", "Findings: something is wrong with the checkpoint, or it is refused."),
    ("2", "Usage, an internal error, or a check that could not be carried out. It wins over 1."),
    ("130, 141", "Interrupted; whoever read the output went away."),
)
ENVIRONMENT = (
    ("NO_COLOR", "Never colour where --color is auto."),
    ("FORCE_COLOR", "Colour where --color is auto and the output is no terminal, unless NO_COLOR is set."),
    ("CKPTKIT_TRACEBACK", "Show the traceback of an internal error."),
)
FILES = (
    ("pyproject.toml, ckptkit.toml", "Settings of a project, the former in its table tool.ckptkit."),
    ("ckpt.json", "The manifest of a bundle."),
)


def page() -> str:
    """Return the man page."""
    root = click.Context(app.group, info_name="ckptkit", **app.group.context_settings)
    lines = [
        '.\\" Written by docs/make_man.py.',
        f'.TH CKPTKIT 1 {DATE} "ckptkit {__version__}" "User Commands"',
        ".SH NAME",
        "ckptkit \\- convert, validate and recover checkpoints without executing them",
        ".SH SYNOPSIS",
        ".B ckptkit",
        "[options] command [arguments]",
        ".SH DESCRIPTION",
        *list(_paragraphs(app.group.help or ""))[1:],
        *_paragraphs(f"This page is of version {SPEC_VERSION} of the bundle format."),
        ".SH OPTIONS",
        *_options(app.group, root),
        ".SH COMMANDS",
    ]
    for name in app.COMMANDS:
        command = app.group.get_command(root, name)
        if command is not None:
            lines += _command(command, click.Context(command, root, name))
    for title, rows in (("EXIT STATUS", STATUS), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines += [f".SH {title}", *(line for term, text in rows for line in _row(_bold(term), text))]
    lines += [".SH SEE ALSO", escaped("git(1), git-lfs(1), sha256sum(1)")]
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f".SS {escaped(context.command_path)}"
    usage = " ".join(command.collect_usage_pieces(context))
    yield _bold(context.command_path)
    yield escaped(usage)
    yield from _paragraphs(command.help or "")
    yield from _options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _command(inner, click.Context(inner, context, name))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield from _row(_bold(record[0]), record[1])


def _row(term: str, text: str) -> list[str]:
    return [".TP", term, *_filled(text)]


def _bold(text: str) -> str:
    return f".B {escaped(text)}"


def _paragraphs(text: str) -> Iterator[str]:
    for part in re.split(r"\n\s*\n", text.replace("\b", "").strip()):
        if part:
            yield ".PP"
            yield from _filled(part)


def _filled(text: str) -> list[str]:
    """Return text in lines of at most 72 characters, as roff wants its input."""
    lines = textwrap.wrap(" ".join(text.split()), 72, break_long_words=False, break_on_hyphens=False)
    return [escaped(line) for line in lines]


def escaped(text: str) -> str:
    r"""Return text as roff takes it literally: `\e` for a backslash, `\-` for a minus, no request."""
    made = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    made = made.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    made = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in made)
    return f"\\&{made}" if made.startswith(".") else made


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
