"""`ckptkit rules`."""

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color


@click.command("rules")
@options.format_option
@options.output_option
@options.color_option
def command(form: str | None, output: str | None, color: str) -> int:
    """List the rules that validate checks.

    One line a rule: code, severity, the level that it guards, name and summary.
    """
    from ckptkit import checks, report

    emit(report.rules(checks.rules(), form_of(form, output), color=wants_color(color, output)), output)
    return 0
