"""`ckptkit baseline`."""

from dataclasses import replace

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit

DEFAULT = "ckptkit-baseline.json"


@click.command("baseline")
@options.paths_argument
@click.option("--reason", required=True, metavar="TEXT", help="Why the findings are accepted.")
@click.option("--expires", default="", metavar="YYYY-MM-DD", help="Last day on which they are.")
@click.option("-o", "--output", metavar="FILE", help=f"Baseline to write; default: {DEFAULT}.")
@click.option("--level", type=click.IntRange(0, 4), help="Level that each must reach, as for validate.")
@click.option("--strict", is_flag=True, help="Refuse unknown manifest fields other than x-*.")
@options.config_options
def command(
    *,
    paths: tuple[str, ...],
    reason: str,
    expires: str,
    output: str | None,
    level: int | None,
    strict: bool,
    config: str | None,
    no_config: bool,
) -> int:
    """Accept the findings of today; validate then reports new ones.

    Entries of an earlier baseline keep their reason and last day while they occur, and go when they no
    longer do. What cannot be checked cannot be accepted.

    Exit status: 0, or 2 where something could not be checked or written.
    """
    from ckptkit import api

    settings = options.settings(config, no_config=no_config)
    target = output or settings.baseline or DEFAULT
    settings = replace(
        settings,
        baseline="",
        level=settings.level if level is None else level,
        strict=settings.strict or strict,
    )
    done = api.write_baseline(api.validate(paths, settings=settings), target, reason=reason, expires=expires)
    emit(f"{done.path}: {done.added} added, {done.kept} kept, {done.removed} removed\n", None)
    return 0
