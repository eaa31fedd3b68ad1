"""`ckptkit migrate`."""

from typing import TYPE_CHECKING

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color
from ckptkit.cli.progress import shown

if TYPE_CHECKING:
    from ckptkit.model.migration import Migration


@click.command("migrate")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="[DST]", required=False)
@click.option(
    "--to",
    type=click.Choice(("v2", "deploy")),
    default="v2",
    show_default=True,
    help="v2 (one torch file each) or deploy (a directory each).",
)
@click.option("--no-backup", is_flag=True, help="Do not keep sources whose bundle took their place.")
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: one a core for many files.")
@click.option("--input-shape", type=options.Shape(), help="Shape of one observation, where SRC cannot tell.")
@click.option(
    "--assume",
    type=options.Profile(),
    multiple=True,
    help="Profile for what SRC cannot tell; repeatable.",
)
@options.format_option
@options.output_option
@options.color_option
def command(
    *,
    source: str,
    target: str | None,
    to: str,
    no_backup: bool,
    dry_run: bool,
    jobs: int | None,
    input_shape: tuple[int, ...] | None,
    assume: tuple[str, ...],
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Make version 2 bundles of a file or a whole directory tree.

    Without DST each bundle takes the place of its file, which is kept as NAME.backup; a name that
    promises another container changes (ppo.zip becomes ppo.pt). With DST the tree is mirrored there and
    SRC is not changed. A bundle is on disk, and was read back, before its file goes; a run that was
    killed is begun anew by the same command. Links are not followed, files beside a checkpoint stay.

    Exit status: 0, or 1 where a file is refused, or 2 where one cannot be read or its bundle not be
    written; the others are migrated all the same.
    """
    from ckptkit import api, report

    with shown("migrate") as progress:
        done = api.migrate(
            source,
            target,
            to=to,
            backup=not no_backup,
            dry_run=dry_run,
            jobs=jobs or 0,
            input_shape=input_shape,
            assume=assume,
            progress=progress,
        )
    chosen = form_of(form, output)
    emit(report.migration(done, chosen, color=wants_color(color, output)), output)
    return _status(done)


def _status(done: "Migration") -> int:
    from ckptkit.model.migration import Fate

    fates = {file.fate for file in done.files}
    return 2 if Fate.FAILED in fates else int(Fate.REFUSED in fates)
