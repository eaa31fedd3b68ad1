"""Where a command's output goes: standard output or a file, text or JSON, colour or none."""

import io
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from ckptkit.errors import WriteError


def form_of(form: str | None, output: str | None, suffixes: Collection[str] = ("json",)) -> str:
    """Return the form: as asked for, else by the suffix of the file if it is one of `suffixes`, else text."""
    if form:
        return form
    suffix = PurePath(output).suffix.lower().removeprefix(".") if output else ""
    return suffix if suffix in suffixes else "text"


def terminal_width(output: str | None) -> int | None:
    """Return the columns of the terminal that shows the output; None where none does."""
    if output or sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def wants_color(choice: str, output: str | None) -> bool:
    """Whether to colour: as asked for, else never in a file, else as terminal and environment say."""
    if choice != "auto":
        return choice == "always"
    if output or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def emit(text: str, output: str | None) -> None:
    """Print `text`, which ends in a newline, or write it to the file `output`, replacing an earlier report.

    Raises:
        WriteError: The file or standard output cannot be written.
        BrokenPipeError: Whoever read standard output has stopped.
    """
    if output:
        _replace(text, output)
        return
    if sys.stdout is None:
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # Not click.echo: it would take the colour out again that the user asked for.
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WriteError(f"cannot be written: {error.strerror}", where="standard output") from error


def append(text: str, output: str) -> None:
    """Add `text` at the end of the file `output`.

    Raises:
        WriteError: The file cannot be written.
    """
    with _refused(output), Path(output).open("ab") as file:
        file.write(_encoded(text))


def _replace(text: str, output: str) -> None:
    """Write a report that appears whole or not at all, where there can be an earlier one to keep."""
    from ckptkit.storage.atomic import new_file

    path = Path(output)
    with _refused(output):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            # A pipe keeps nothing; a link may be /dev/stdout, and lead to what someone holds open.
            path.write_bytes(_encoded(text))
            return
        effective = os.access in os.supports_effective_ids
        if path.exists() and not os.access(path, os.W_OK, effective_ids=effective):
            raise WriteError("cannot be written: it is write-protected", where=output)
        if not path.parent.is_dir():
            raise WriteError("cannot be written: there is no such folder", where=str(path.parent))
    with new_file(path, force=True) as file:
        file.write(_encoded(text))


@contextmanager
def _refused(output: str) -> Iterator[None]:
    """Turn what the system refuses into the error that says so."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot be written: {error.strerror}", where=output) from error


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
