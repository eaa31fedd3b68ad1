"""`ckptkit inspect`."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ckptkit.cli import options
from ckptkit.cli.boundary import complain
from ckptkit.cli.output import emit, form_of, terminal_width, wants_color
from ckptkit.errors import CkptkitError, NotACheckpointError, UsageError
from ckptkit.model.directory import Directory
from ckptkit.model.finding import Verdict
from ckptkit.model.results import Inspection

if TYPE_CHECKING:
    from ckptkit.api.spreading import Known

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
    for searched, group in groupby(paths, lambda path: not each and _is_directory_of_checkpoints(path)):
        if searched:
            status = max([status, *(_survey(path, found) for path in group)])
        else:
            status = max(status, _inspect(group, found, input_shape=input_shape, assume=assume))
    if chosen == "svg" and len(found) > 1:
        raise UsageError(f"one svg holds one network, and there are {len(found)} here", fix="name one PATH")
    if found or chosen == "json":
        emit(_render(found, chosen, graph=graph, color=wants_color(color, output), output=output), output)
    return max([status, *(_status_of(one) for one in found)])


def _status_of(one: Inspection | Directory) -> int:
    if isinstance(one, Directory):
        return max((entry.failure.exit_status for entry in one.failed if entry.failure), default=0)
    return int(not _is_clean(one))


def _is_clean(one: Inspection) -> bool:
    return one.verdict not in NOT_CLEAN and all(note.kind != "finding" for note in one.notes)


def _is_directory_of_checkpoints(path: str) -> bool:
    """Whether `path` is a directory that is searched; one that is a checkpoint by itself is not."""
    from ckptkit.api.surveying import is_searched

    try:
        return is_searched(path)
    except CkptkitError:
        return False  # what is wrong with it is said where it is read


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

    status = 0
    for one in api.inspect_each(_candidates(paths), jobs=0, **hints):
        if isinstance(one, CkptkitError):
            status = max(status, complain(one))
        else:
            found.append(one)
    return status


def _candidates(paths: Iterable[str]) -> "Iterator[Path | Known[Inspection | CkptkitError]]":
    """Yield the checkpoints at each path, or the error that says why there is none."""
    from ckptkit import api
    from ckptkit.api.spreading import Known

    for path in paths:
        empty = True
        try:
            for candidate in api.find(path):
                empty = False
                yield candidate
            if empty:
                raise NotACheckpointError("no checkpoint in this directory", where=path)
        except CkptkitError as error:
            yield Known(error)


def _render(
    found: list[Inspection | Directory], form: str, *, graph: bool, color: bool, output: str | None
) -> str:
    from ckptkit import report

    if graph:
        single = [one for one in found if isinstance(one, Inspection)]
        return report.graphs(single, form, color=color, width=terminal_width(output))
    return report.inspections(found, form, color=color)
