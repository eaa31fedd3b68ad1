"""`ckptkit runs`."""

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color

LATEST, TOP, RANDOM = "latest", "top", "random"

directory_argument = click.argument("directory", metavar="DIR")
metric_option = click.option("--metric", metavar="NAME", help="A number in the training info, such as score.")
lowest_option = click.option("--lowest", is_flag=True, help="The lowest value of the metric is the best.")


@click.group("runs")
def command() -> None:
    """Choose, rank, prune and publish the checkpoints of training runs."""


@command.command("list")
@directory_argument
@metric_option
@lowest_option
@options.format_option
@options.output_option
@options.color_option
def listed(
    *, directory: str, metric: str | None, lowest: bool, form: str | None, output: str | None, color: str
) -> int:
    """List the checkpoints in DIR and below: best first by a metric, without one the newest first.

    Exit status: 0, or 2 where there are none.
    """
    from ckptkit import report, runs

    found = runs.leaderboard(directory, metric, lowest=lowest)
    emit(report.selection(found, form_of(form, output), color=wants_color(color, output)), output)
    return 0


@command.command("select")
@directory_argument
@click.option(
    "--by", type=click.Choice((LATEST, TOP, RANDOM)), default=LATEST, show_default=True, help="How to choose."
)
@click.option("-n", "--count", type=click.IntRange(1), default=1, metavar="N", help="How many, at most.")
@metric_option
@lowest_option
@click.option("--seed", type=int, metavar="N", help="Makes a random choice repeat.")
@click.option("--level", type=click.IntRange(0, 4), metavar="N", help="Level that each must reach (0 to 4).")
@options.format_option
@options.output_option
@options.color_option
def select(
    *,
    directory: str,
    by: str,
    count: int,
    metric: str | None,
    lowest: bool,
    seed: int | None,
    level: int | None,
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Choose checkpoints in DIR and below, each of which is whole.

    What is broken, unsafe, or not what it claims is passed over, and listed with the reason.

    Exit status: 0, 1 where nothing is fit to be chosen, 2 where there is no checkpoint.
    """
    from ckptkit import report, runs

    found = runs.select(directory, by, count, metric=metric, lowest=lowest, seed=seed, level=level)
    emit(report.selection(found, form_of(form, output), color=wants_color(color, output)), output)
    return int(not found.chosen)


@command.command("prune")
@directory_argument
@click.option("--keep-last", type=click.IntRange(1), default=None, metavar="N", help="Keep the newest N.")
@click.option("--keep-best", type=click.IntRange(1), default=None, metavar="N", help="Keep the best N.")
@click.option(
    "--keep-every", type=click.IntRange(1), default=None, metavar="N", help="Keep steps that N divides."
)
@metric_option
@lowest_option
@click.option("--delete", is_flag=True, help="Do it; without this nothing is removed.")
@options.format_option
@options.output_option
@options.color_option
def prune(
    *,
    directory: str,
    keep_last: int | None,
    keep_best: int | None,
    keep_every: int | None,
    metric: str | None,
    lowest: bool,
    delete: bool,
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Remove numbered checkpoints that no rule keeps, run by run; without --delete only say which.

    Names without a number, backups, state without a model, and what cannot be read or is not valid stay. So
    does the last valid one of a run.

    Exit status: 0, or 2 where it cannot be done.
    """
    from ckptkit import report, runs

    done = runs.prune(
        directory,
        keep_last=keep_last or 0,
        keep_best=keep_best or 0,
        keep_every=keep_every or 0,
        metric=metric or "",
        lowest=lowest,
        dry_run=not delete,
    )
    emit(report.retention(done, form_of(form, output), color=wants_color(color, output)), output)
    return 0


@command.command("publish")
@click.argument("source", metavar="SRC")
@click.argument("registry", metavar="REGISTRY")
@click.option("--name", required=True, metavar="NAME", help="What the artifact is called.")
@click.option("--alias", "aliases", multiple=True, metavar="WORD", help="Word for this version; repeatable.")
@click.option(
    "--require-level", type=click.IntRange(0, 4), default=2, show_default=True, metavar="N",
    help="Refuse what does not reach level N.",
)  # fmt: skip
@click.option("--input-shape", type=options.Shape(), help="Shape of one observation, where SRC cannot tell.")
@click.option(
    "--assume", type=options.Profile(), multiple=True, help="Profile for what SRC cannot tell; repeatable."
)
@options.format_option
@options.output_option
@options.color_option
def publish(
    *,
    source: str,
    registry: str,
    name: str,
    aliases: tuple[str, ...],
    require_level: int,
    input_shape: tuple[int, ...] | None,
    assume: tuple[str, ...],
    form: str | None,
    output: str | None,
    color: str,
) -> int:
    """Write SRC as the bundle REGISTRY/NAME/vN and enter its digests into REGISTRY/index.json.

    The same content again is no new version. The alias latest goes to what was published last.

    Exit status: 0, 1 where SRC is refused, 2 where it cannot be read or the bundle not be written.
    """
    from ckptkit import report, runs

    done = runs.publish(
        source,
        registry,
        name,
        aliases=aliases,
        require_level=require_level,
        input_shape=input_shape,
        assume=assume,
    )
    emit(report.artifact(done, form_of(form, output), color=wants_color(color, output)), output)
    return 0


@command.command("verify")
@click.argument("registry", metavar="REGISTRY")
@options.format_option
@options.output_option
@options.color_option
def verify(*, registry: str, form: str | None, output: str | None, color: str) -> int:
    """Compare every published bundle with the index and with its own digests.

    Exit status: 0, 1 where one is not what was published, 2 where there is no index.
    """
    from ckptkit import report, runs

    done = runs.verify(registry)
    emit(report.integrity(done, form_of(form, output), color=wants_color(color, output)), output)
    return int(bool(done.problems))
