"""`ckptkit compat`."""

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color


@click.command("compat")
@click.argument("source", metavar="A")
@click.argument("against", metavar="[B]", required=False)
@click.option("--input-shape", type=options.Shape(), help="Shape of one observation, where A cannot tell.")
@click.option(
    "--assume", type=options.Profile(), multiple=True, help="Profile for what A cannot tell; repeatable."
)
@options.format_option
@options.output_option
@options.color_option
def command(
    *,
    source: str,
    against: str | None,
    input_shape: tuple[int, ...] | None,
    assume: tuple[str, ...],
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Say whether A fits where B does, with every reason.

    Compared are spaces, fields of the architecture, tensors, names of actions, and versions of formats and
    libraries, as far as both say something of them. Without B, A is compared with what this ckptkit reads
    and what is installed.

    Exit status: 0 where it fits in full, 1 where it does not, 2 where A or B cannot be read.
    """
    from ckptkit import api, report
    from ckptkit.model.compatibility import Fit

    found = api.check_compatibility(source, against, input_shape=input_shape, assume=assume)
    emit(report.compatibility(found, form_of(form, output), color=wants_color(color, output)), output)
    return int(found.fit is not Fit.FULL)
