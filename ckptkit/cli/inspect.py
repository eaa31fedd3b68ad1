"""`ckptkit inspect`."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import click

from ckptkit.cli import options
from ckptkit.cli.boundary import complain
from ckptkit.cli.output import emit, form_of, terminal_width, wants_color
from ckptkit.cli.paths import checkpoints, is_directory_of_checkpoints, kept
from ckptkit.errors import CkptkitError, UsageError
from ckptkit.model.directory import Directory
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

    PATH is a checkpoint, a bundle, or a directory of them: of that, systems, runs, the newest of each and
    what is broken are said, a line a checkpoint. Nothing is executed and no tensor bytes are read. With
    --format json one PATH gives one object, several an array of them. --graph, --assume and --input-shape
    take each checkpoint of a directory by itself. A checkpoint whose network is not known is no error:
    --graph says which question is open.

    Exit status: 0, or 1 where something is unsafe or breaks the format, or 2 where something could not be
    read.
    """
    found: list[Inspection | Directory] = []
    status = 0
    each = graph or input_shape is not None or bool(assume)
    chosen = form_of(form, output, ("json", *PICTURES))
    if chosen in PICTURES and not graph:
        raise UsageError(f"{chosen} is the form of a picture", fix="draw the network with --graph")
    for searched, group in groupby(paths, lambda path: not each and is_directory_of_checkpoints(path)):
        if searched:
            status = max([status, *(_survey(path, found) for path in group)])
        else:
            status = max(status, _inspect(group, found, input_shape=input_shape, assume=assume))
    if chosen == "svg" and len(found) > 1:
        raise UsageError(f"one svg holds one network, and there are {len(found)} here", fix="name one PATH")
    several = len(paths) > 1
    if found or (several and chosen == "json"):
        how = {"graph": graph, "color": wants_color(color, output), "several": several}
        emit(_render(found, chosen, terminal_width(output), **how), output)
    return max([status, *(_status_of(one) for one in found)])


def _status_of(one: Inspection | Directory) -> int:
    if isinstance(one, Directory):
        return max((entry.failure.exit_status for entry in one.failed if entry.failure), default=0)
    return int(not _is_clean(one))


def _is_clean(one: Inspection) -> bool:
    return one.verdict not in NOT_CLEAN and all(note.kind != "finding" for note in one.notes)


def _survey(path: str, found: list[Inspection | Directory]) -> int:
    """Add what the directory `path` holds to `found`; say why where it cannot be, and return the status."""
    from ckptkit.api.surveying import survey

    try:
        found.append(survey(path, jobs=0))
    except CkptkitError as error:
        return complain(error)
    return 0


def _inspect(paths: Iterable[str], found: list[Inspection | Directory], **hints: Any) -> int:
    """Add what is at `paths` to `found`; say what cannot be read and return the status for it."""
    from ckptkit import api

    return kept(api.inspect_each(checkpoints(paths), jobs=0, **hints), found)


def _render(
    found: list[Inspection | Directory], form: str, width: int | None, *, graph: bool, **how: bool
) -> str:
    from ckptkit import report

    if graph:
        single = [one for one in found if isinstance(one, Inspection)]
        return report.graphs(single, form, width=width, **how)
    return report.inspections(found, form, **how)
