"""`ckptkit recover`."""

from typing import TYPE_CHECKING, Any

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color
from ckptkit.cli.paths import checkpoints, is_directory_of_checkpoints, kept

if TYPE_CHECKING:
    from ckptkit.model.results import Recovery


@click.command("recover")
@options.paths_argument
@click.option("--input-shape", type=options.Shape(), help="Shape of one observation, where PATH cannot tell.")
@click.option(
    "--assume", type=options.Profile(), multiple=True, help="Profile for what PATH cannot tell; repeatable."
)
@click.option("--explain", is_flag=True, help="Say of each other family why PATH is none of it.")
@click.option("--counterexample", is_flag=True, help="Show networks that fit as well, and where they differ.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: one a core for many files.")
@options.format_option
@options.output_option
@options.color_option
def command(
    *,
    paths: tuple[str, ...],
    input_shape: tuple[int, ...] | None,
    assume: tuple[str, ...],
    explain: bool,
    counterexample: bool,
    jobs: int | None,
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Say which network PATH holds, how sure that is, and what is open.

    PATH is a checkpoint, a bundle, or a directory to search for them. Each field is proven (the file says
    it, or its shapes leave no other value), constrained (the values listed are all there are), assumed (by
    a profile, or by your word) or unknown. An open question is no error: it comes with the flag that
    settles it. With --format json one PATH that is a checkpoint gives one object; several, or a
    directory, give an array of them.

    Exit status: 0, or 1 where one is refused, or 2 where one cannot be read; the others are shown all the
    same.
    """
    from ckptkit import api, report

    asked: dict[str, Any] = {
        "input_shape": input_shape,
        "assume": assume,
        "explain": explain,
        "counterexample": counterexample,
    }
    chosen = form_of(form, output)
    shown = wants_color(color, output)
    if len(paths) == 1 and not is_directory_of_checkpoints(paths[0]):
        emit(report.recovery(api.recover(paths[0], **asked), chosen, color=shown), output)
        return 0
    found: list[Recovery] = []
    status = kept(api.recover_each(checkpoints(paths), jobs=jobs or 0, **asked), found)
    if found or chosen == report.JSON:
        emit(report.recovery(found, chosen, color=shown), output)
    return status
