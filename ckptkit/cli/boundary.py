"""Where errors become one line on standard error and an exit status."""

import os
import sys
from types import TracebackType
from typing import Self

import click

from ckptkit.errors import CkptkitError
from ckptkit.version import __version__

USAGE = 2
INTERRUPTED = 130
"""As a shell reports a process that SIGINT ended."""
BROKEN_PIPE = 141
"""As a shell reports a process that SIGPIPE ended."""
TRACEBACK_SWITCH = "CKPTKIT_TRACEBACK"


class Boundary:
    """A context that no exception leaves.

    Attributes:
        status: Exit status; set by the block, or by the error that ended it.
    """

    def __init__(self) -> None:
        self.status = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.status = _status_of(error)
        return True


def complain(error: CkptkitError) -> int:
    """Print `error` as one line on standard error and return its exit status."""
    _print(str(error))
    return error.exit_code


def _status_of(error: BaseException) -> int:
    match error:
        case CkptkitError():
            return complain(error)
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return USAGE
        case click.ClickException():
            _print(_usage(error))
            return USAGE
        case BrokenPipeError():
            _silence_stdout()
            return BROKEN_PIPE
        case KeyboardInterrupt() | click.Abort():
            _print("interrupted")
            return INTERRUPTED
        case SystemExit():
            return error.code if isinstance(error.code, int) else USAGE
        case OSError(strerror=str(reason), filename=filename):
            _print(f"{os.fspath(filename)}: {reason}" if isinstance(filename, str) else reason)
            return USAGE
    return _internal(error)


def _usage(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    context = getattr(error, "ctx", None)
    return f"{message} (see `{context.command_path} --help`)" if context else message


def _internal(error: BaseException) -> int:
    """Report a defect of ckptkit itself."""
    if os.environ.get(TRACEBACK_SWITCH):
        import traceback

        traceback.print_exception(error)
    _silence_stdout()
    kind = type(error).__name__
    _print(
        f"internal error: {kind}: {error} (a defect in ckptkit {__version__}: please report it with what "
        f"{TRACEBACK_SWITCH}=1 ckptkit … prints)"
    )
    return USAGE


def _silence_stdout() -> None:
    """Point standard output at nothing, so that the flush at exit cannot fail a second time."""
    if sys.stdout is None:
        return
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _print(message: str) -> None:
    if sys.stderr is None:
        return
    from ckptkit.report.styled import one_line

    try:
        click.echo(f"error: {one_line(message)}", err=True)
    except OSError:
        # Standard error itself is gone: the exit status is all that is left to say it with.
        return
