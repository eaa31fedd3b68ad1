"""`ckptkit inspect`."""

import click

from ckptkit.cli import options
from ckptkit.cli.boundary import complain
from ckptkit.cli.output import emit, form_of, wants_color
from ckptkit.errors import CkptkitError, NotACheckpointError
from ckptkit.model.finding import Verdict
from ckptkit.model.results import Inspection

NOT_CLEAN = frozenset({Verdict.UNSAFE, Verdict.MALFORMED, Verdict.UNSUPPORTED})


@click.command("inspect")
@options.paths_argument
@options.format_option
@options.output_option
@options.color_option
def command(paths: tuple[str, ...], form: str | None, output: str | None, color: str) -> int:
    """Say what a checkpoint is and holds.

    PATH is a checkpoint, a bundle, or a directory to search for them. Nothing in it is executed and
    no tensor bytes are read. With --format json, one PATH that is one checkpoint gives one object,
    anything else an array of them.

    Exit status: 0, or 1 where something is unsafe or breaks the format, or 2 where something could not be
    read.
    """
    found: list[Inspection] = []
    status = 0
    for path in paths:
        status = max(status, _inspect(path, found))
    chosen = form_of(form, output)
    if found or chosen == "json":
        emit(_render(found, chosen, color=wants_color(color, output)), output)
    return max([status, *(int(not _is_clean(one)) for one in found)])


def _is_clean(one: Inspection) -> bool:
    return one.verdict not in NOT_CLEAN and all(note.kind != "finding" for note in one.notes)


def _inspect(path: str, found: list[Inspection]) -> int:
    """Add what is at `path` to `found`; say what cannot be read and return the status for it."""
    from ckptkit import api

    status = 0
    try:
        candidates = list(api.find(path))
        if not candidates:
            raise NotACheckpointError("no checkpoint in this directory", where=path)
    except CkptkitError as error:
        return complain(error)
    for candidate in candidates:
        try:
            found.append(api.inspect(candidate))
        except CkptkitError as error:
            status = max(status, complain(error))
    return status


def _render(found: list[Inspection], form: str, *, color: bool) -> str:
    from ckptkit import report

    return report.inspections(found, form, color=color)
