"""`ckptkit recover`."""

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color


@click.command("recover")
@click.argument("source", metavar="SRC")
@click.option("--input-shape", type=options.Shape(), help="Shape of one observation, where SRC cannot tell.")
@click.option(
    "--assume", type=options.Profile(), multiple=True, help="Profile for what SRC cannot tell; repeatable."
)
@click.option("--explain", is_flag=True, help="Say of each other family why SRC is none of it.")
@click.option("--counterexample", is_flag=True, help="Show networks that fit as well, and where they differ.")
@options.format_option
@options.output_option
@options.color_option
def command(
    *,
    source: str,
    input_shape: tuple[int, ...] | None,
    assume: tuple[str, ...],
    explain: bool,
    counterexample: bool,
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Say which network SRC holds, how sure that is, and what is open.

    Each field is proven (the file says it, or its shapes leave no other value), constrained (the values
    listed are all there are), assumed (by a profile, or by your word) or unknown. An open question is
    no error: it comes with the flag that settles it.

    Exit status: 0, or 1 where SRC is refused, or 2 where it cannot be read.
    """
    from ckptkit import api, report

    found = api.recover(
        source, input_shape=input_shape, assume=assume, explain=explain, counterexample=counterexample
    )
    chosen = form_of(form, output)
    emit(report.recovery(found, chosen, color=wants_color(color, output)), output)
    return 0
