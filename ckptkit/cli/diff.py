"""`ckptkit diff`."""

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@options.format_option
@options.output_option
@options.color_option
def command(*, a: str, b: str, form: str | None, output: str | None, color: str) -> int:
    """Say in what two checkpoints differ: fields, layers and tensors.

    A and B are checkpoints or bundles of any formats; another format alone is no difference. Tensors are
    compared byte by byte; for those that differ, how far they are apart.

    Exit status: 0 where they hold the same, 1 where they differ or one is refused, 2 where one cannot be
    read.
    """
    from ckptkit import api, report

    found = api.diff(a, b)
    emit(report.difference(found, form_of(form, output), color=wants_color(color, output)), output)
    return int(not found.equal)
