"""`ckptkit convert`."""

from typing import TYPE_CHECKING

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color

if TYPE_CHECKING:
    from ckptkit.model.adaptation import InputChannels


@click.command("convert")
@click.argument("source", metavar="SRC")
@click.option(
    "--to",
    type=options.Target(),
    required=True,
    help="deploy (a directory), v2 (one torch file) or sb3 (a Stable-Baselines3 zip).",
)
@click.option(
    "-o", "--output", metavar="DST", required=True, help="Path to write; must not exist unless --force."
)
@click.option("--force", is_flag=True, help="Replace DST.")
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
@click.option(
    "--require-level",
    type=click.IntRange(0, 4),
    default=0,
    help="Exit 1 and write nothing if the result would be below this level.",
)
@click.option("--list-dropped", is_flag=True, help="List every entry of SRC that DST does not carry.")
@click.option(
    "--input-shape",
    type=options.Shape(),
    help="Shape of one observation, where SRC cannot tell.",
)
@click.option(
    "--assume",
    type=options.Profile(),
    multiple=True,
    help="Profile for what SRC cannot tell; repeatable.",
)
@click.option(
    "--adapt",
    type=options.Adaptation(),
    help="input-channels=N: other input channels, new ones zero; N,lossy drops weights.",
)
@click.option(
    "--format", "form", type=click.Choice(options.FORMATS), help="Form of the receipt; text by default."
)
@options.color_option
def command(
    *,
    source: str,
    to: str,
    output: str,
    force: bool,
    dry_run: bool,
    require_level: int,
    list_dropped: bool,
    input_shape: tuple[int, ...] | None,
    assume: tuple[str, ...],
    adapt: "InputChannels | None",
    form: str | None,
    color: str,
) -> int:
    """Write a checkpoint as a versioned, hashed bundle.

    SRC is any checkpoint or bundle. Every tensor of DST is bit-identical, SRC is never changed, nothing
    in it is executed, and DST appears whole or not at all. The receipt says what was read, dropped and
    assumed.

    With --to sb3, SRC is a Stable-Baselines3 agent of any release, or a bundle made from one, and
    DST.zip opens with today's release and gymnasium alone. Statistics go to DST/vecnormalize.pkl
    beside it, an extractor's sidecars into its folder. A DST without .zip is a folder with all of them.

    Exit status: 0, or 1 where SRC is refused (unsafe, unknown version, without a form in DST's format),
    or 2 where it cannot be read or DST cannot be written.
    """
    from ckptkit import api, report

    receipt = api.convert(
        source,
        to,
        output,
        force=force,
        dry_run=dry_run,
        require_level=require_level,
        input_shape=input_shape,
        assume=assume,
        adapt=adapt,
    )
    chosen = form_of(form, None)
    emit(report.receipt(receipt, chosen, color=wants_color(color, None), list_dropped=list_dropped), None)
    return 0
