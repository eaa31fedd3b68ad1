"""`ckptkit scan`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color

if TYPE_CHECKING:
    from ckptkit.model.scanned import Scan, Scanned

FORMS = ("text", "json", "sarif")


@click.command("scan")
@options.paths_argument
@click.option(
    "--full",
    "detail",
    flag_value="full",
    help="List parts, allowed globals and code too (text); the default where PATH is one file.",
)
@click.option("--brief", "detail", flag_value="brief", help="List only what is wrong (text).")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: one a core for many files.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="Form of the output; text unless -o ends in .json or .sarif.",
)
@options.output_option
@options.color_option
def command(
    *,
    paths: tuple[str, ...],
    detail: str | None,
    jobs: int | None,
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Say what the pickles in any file name, without running them.

    No tensor is read. PATH is any file, or a directory to search: checkpoints, and pickles that are
    none, alone or inside zip, tar, gzip, xz, bzip2, zstd, lz4 and npy files, each inside the other. Every
    global is given with its member and byte offset, whether it is allowed, and why; code objects with
    their names and constants.

    Exit status: 0 where every file holds data alone, or code where its format is known to carry it; 1
    where one is unsafe or carries code that it should not; 2 where anything could not be read to its
    end, or nothing was scanned. What was found is shown in each case.
    """
    from ckptkit.api.scanning import scan
    from ckptkit.report import scan_forms

    chosen = form_of(form, output, FORMS)
    one_file = len(paths) == 1 and not Path(paths[0]).is_dir()
    whole = detail == "full" or (detail is None and one_file)
    shown = wants_color(color, output)

    def told(one: "Scanned") -> None:
        emit(scan_forms.scanned(one, full=whole, color=shown), None)

    streamed = chosen == "text" and not output
    done = scan(paths, jobs=jobs or 0, told=told if streamed else None)
    if streamed:
        emit(scan_forms.scan_end(done, color=shown), None)
    else:
        emit(scan_forms.scan(done, chosen, full=whole, color=shown, root=_root(chosen)), output)
    return exit_status(done)


def _root(form: str) -> Path | None:
    if form != "sarif":
        return None
    from ckptkit.storage.repository import root_of

    return root_of(Path())


def exit_status(done: "Scan") -> int:
    """Return 0 for clean, 1 for findings, 2 where anything could not be read to its end."""
    if any(one.incomplete for one in done.results):
        return 2
    return int(any(one.failed for one in done.results))
