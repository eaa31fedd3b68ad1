"""`ckptkit inspect`."""

from typing import Any

import click

from ckptkit.cli import options
from ckptkit.cli.boundary import complain
from ckptkit.cli.output import emit, form_of, terminal_width, wants_color
from ckptkit.errors import CkptkitError, NotACheckpointError, UsageError
from ckptkit.model.finding import Verdict
from ckptkit.model.results import Inspection

PICTURES = ("svg", "md")
NOT_CLEAN = frozenset({Verdict.UNSAFE, Verdict.MALFORMED, Verdict.UNSUPPORTED})


@click.command("inspect")
@options.paths_argument
@click.option("--graph", is_flag=True, help="Draw the network instead: a tree, or a picture by the form.")
@click.option("--input-shape", type=options.Shape(), help="Shape of one observation, where PATH cannot tell.")
@click.option(
    "--assume", type=options.Profile(), multiple=True, help="Profile for what PATH cannot tell; repeatable."
)
@click.option(
    "--format",
    "form",
    type=click.Choice((*options.FORMATS, *PICTURES)),
    help="Form of the output; as -o FILE ends, else text. svg and md (Mermaid) need --graph.",
)
@options.output_option
@options.color_option
def command(
    *,
    paths: tuple[str, ...],
    graph: bool,
    input_shape: tuple[int, ...] | None,
    assume: tuple[str, ...],
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Say what a checkpoint is and holds, or draw its network.

    PATH is a checkpoint, a bundle, or a directory to search for them. Nothing in it is executed and
    no tensor bytes are read. With --format json, one PATH that is one checkpoint gives one object,
    anything else an array of them. A checkpoint whose network is not known is no error: --graph says
    which question is open.

    Exit status: 0, or 1 where something is unsafe or breaks the format, or 2 where something could not be
    read.
    """
    found: list[Inspection] = []
    status = 0
    chosen = form_of(form, output, ("json", *PICTURES))
    if chosen in PICTURES and not graph:
        raise UsageError(f"{chosen} is the form of a picture", fix="draw the network with --graph")
    for path in paths:
        status = max(status, _inspect(path, found, input_shape=input_shape, assume=assume))
    if chosen == "svg" and len(found) > 1:
        raise UsageError(f"one svg holds one network, and there are {len(found)} here", fix="name one PATH")
    if found or chosen == "json":
        emit(_render(found, chosen, graph=graph, color=wants_color(color, output), output=output), output)
    return max([status, *(int(not _is_clean(one)) for one in found)])


def _is_clean(one: Inspection) -> bool:
    return one.verdict not in NOT_CLEAN and all(note.kind != "finding" for note in one.notes)


def _inspect(path: str, found: list[Inspection], **hints: Any) -> int:
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
            found.append(api.inspect(candidate, **hints))
        except CkptkitError as error:
            status = max(status, complain(error))
    return status


def _render(found: list[Inspection], form: str, *, graph: bool, color: bool, output: str | None) -> str:
    from ckptkit import report

    if graph:
        return report.graphs(found, form, color=color, width=terminal_width(output))
    return report.inspections(found, form, color=color)
