"""`ckptkit explain`."""

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color


@click.command("explain")
@click.argument("code", metavar="CODE")
@options.format_option
@options.output_option
@options.color_option
def command(code: str, form: str | None, output: str | None, color: str) -> int:
    """Say what a rule means and what to do.

    CODE is a rule's code (CK301) or its name (tensor-digest).
    """
    from ckptkit import checks, report

    rule = checks.find(code)
    emit(report.explanation(rule, form_of(form, output), color=wants_color(color, output)), output)
    return 0
