"""`ckptkit repair`."""

from typing import TYPE_CHECKING

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color

if TYPE_CHECKING:
    from ckptkit.model.repaired import Repaired


@click.command("repair")
@click.argument("path", metavar="PATH")
@click.option("--write", is_flag=True, help="Change the files; without it nothing is written.")
@click.option("--lfs-store", metavar="DIR", help="Folder of Git LFS objects, such as .git/lfs/objects.")
@click.option("--source", metavar="FILE", help="The file that the bundle's lineage names.")
@click.option("--no-backup", is_flag=True, help="Do not keep files as they were.")
@options.format_option
@options.output_option
@options.color_option
def command(
    *,
    path: str,
    write: bool,
    lfs_store: str | None,
    source: str | None,
    no_backup: bool,
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Mend what can be proven, and say what is left.

    A dry run, unless --write is given. Mended are: a lost zip directory of a torch file or agent whose
    members are whole; a Git LFS pointer whose content is in --lfs-store; digests and sizes of a manifest
    that its recorded digest, or the lineage's file, proves wrong; and tensor names with the _orig_mod. of
    torch.compile. Each is named with its proof; each file is kept as NAME.backup, and changed in one step.

    Exit status: 0 where all is sound, 1 where something is left or not yet written, 2 where PATH cannot
    be read.
    """
    from ckptkit import api
    from ckptkit.report.repair_json import repaired
    from ckptkit.report.repair_text import lines
    from ckptkit.report.styled import render

    done = api.repair(path, write=write, lfs_store=lfs_store, source=source, backup=not no_backup)
    if form_of(form, output) == "json":
        emit(repaired(done), output)
    else:
        emit(render(lines(done), color=wants_color(color, output)), output)
    return exit_status(done)


def exit_status(done: "Repaired") -> int:
    """Return 0 where nothing is wrong, 1 where something remains, 2 where the path cannot be read."""
    from ckptkit.model.finding import Severity

    if done.pending:
        return 1
    if done.validation.incomplete or done.validation.level < 0:
        return 2
    errors = any(finding.severity is Severity.ERROR for finding in done.validation.findings)
    return int(errors or bool(done.left))
