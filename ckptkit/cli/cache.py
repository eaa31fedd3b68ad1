"""`ckptkit cache`."""

import click

from ckptkit.cli.output import emit


@click.group("cache")
def command() -> None:
    """Say where results of earlier runs are kept, or remove them.

    `validate` takes the result of a checkpoint that it finds by searching a directory from an earlier run
    where no file of it has changed. What is named itself is always checked.
    """


@command.command("dir")
def directory() -> int:
    """Print the file that results are kept in."""
    from ckptkit.storage import result_cache

    emit(f"{result_cache.location()}\n", None)
    return 0


@command.command("clean")
def clean() -> int:
    """Remove all results."""
    from ckptkit.report.words import size
    from ckptkit.storage import result_cache

    emit(f"removed   {size(result_cache.clean())}\n", None)
    return 0
