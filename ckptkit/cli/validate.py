"""`ckptkit validate`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import click

from ckptkit.cli import options
from ckptkit.cli.output import append, emit, wants_color
from ckptkit.errors import NotACheckpointError
from ckptkit.model.finding import Severity
from ckptkit.model.results import Report, Validation
from ckptkit.model.settings import Lfs, Settings
from ckptkit.model.verify import Verify
from ckptkit.report import VALIDATION_FORMS


@click.command("validate")
@options.paths_argument
@click.option(
    "--level", type=click.IntRange(0, 4), help="Level that each must reach; default: all it claims."
)
@click.option("--strict", is_flag=True, help="Refuse unknown manifest fields other than x-*.")
@click.option(
    "--select", type=options.Codes(), multiple=True, help="Report only these rules (CK3: all CK3xx)."
)
@click.option("--ignore", type=options.Codes(), multiple=True, help="Do not report these rules.")
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warning")),
    help="Lowest severity that gives exit status 1; default: error.",
)
@click.option("--exit-zero", is_flag=True, help="Exit 0 in spite of findings; an incomplete check stays 2.")
@click.option("--allow-empty", is_flag=True, help="A path that holds no checkpoint is not an error.")
@click.option("--baseline", metavar="FILE", help="Do not report the findings that FILE accepts.")
@click.option(
    "--lfs",
    type=click.Choice([one.value for one in Lfs]),
    help="A Git LFS or DVC pointer for content: incomplete (pointer, the default), an error, or passed over.",
)
@click.option(
    "--verify",
    type=click.Choice([one.value for one in Verify]),
    help="Bytes to compare with digests: all (default), tensors once and headers, files, or none (header).",
)
@click.option("--weights", is_flag=True, help="Look into the values of weights, too: NaN, constants (CK60x).")
@click.option("--bundles", is_flag=True, help="Check the bundle that a PATH lies in, each once.")
@click.option("--changed-since", metavar="REV", help="Check only what git says has changed since REV.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes; default: one a core for many files.")
@click.option("--no-cache", is_flag=True, help="Check unchanged files of searched directories again.")
@options.config_options
@click.option(
    "--format",
    "form",
    type=click.Choice(VALIDATION_FORMS),
    help="Form of what is printed, or of an -o file whose suffix says none; text unless given.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    metavar="FILE",
    multiple=True,
    help="Write a report to FILE (.json, .sarif, .xml, .md, .html) instead of printing it; repeatable.",
)
@options.color_option
def command(
    *,
    paths: tuple[str, ...],
    level: int | None,
    strict: bool,
    select: tuple[tuple[str, ...], ...],
    ignore: tuple[tuple[str, ...], ...],
    fail_on: str | None,
    exit_zero: bool,
    allow_empty: bool,
    baseline: str | None,
    lfs: str | None,
    verify: str | None,
    weights: bool,
    bundles: bool,
    changed_since: str | None,
    jobs: int | None,
    no_cache: bool,
    config: str | None,
    no_config: bool,
    form: str | None,
    outputs: tuple[str, ...],
    color: str,
) -> int:
    """Check checkpoints and bundles; report every violation.

    PATH is a checkpoint, a bundle, or a directory to search for them. All findings of all paths are
    reported in one run; `ckptkit explain CODE` says what one means.

    Exit status: 0 clean, 1 findings, 2 where something could not be checked at all.
    """
    from ckptkit import api

    settings = options.settings(config, no_config=no_config)
    settings = replace(
        settings,
        level=settings.level if level is None else level,
        strict=settings.strict or strict,
        select=options.flat(select) or settings.select,
        ignore=options.flat(ignore) or settings.ignore,
        fail_on=Severity(fail_on or settings.fail_on),
        exit_zero=exit_zero or settings.exit_zero,
        allow_empty=allow_empty or settings.allow_empty,
        baseline=baseline or settings.baseline,
        lfs=Lfs(lfs or settings.lfs),
        verify=Verify(verify or settings.verify),
        weights=weights or settings.weights,
    )
    chosen: Sequence[str | Path] = paths
    if changed_since is not None:
        chosen = api.changed_since(changed_since, paths)
    elif bundles:
        chosen = api.bundles(paths)
    told = None if outputs or form not in (None, "text") or settings.baseline else Streamed(color, settings)
    result = api.validate(chosen, settings=settings, jobs=jobs or 0, cache=not no_cache, told=told)
    if settings.allow_empty:
        result = _without_empty(result)
    deliver(result, form, outputs, color, streamed=told is not None)
    return exit_status(result, fail_on=settings.fail_on, exit_zero=settings.exit_zero)


class Streamed:
    """Prints each result as soon as it is known."""

    def __init__(self, color: str, settings: Settings) -> None:
        self._color = wants_color(color, None)
        self._allow_empty = settings.allow_empty

    def __call__(self, one: Validation) -> None:
        """Print one result, unless it says no more than that there is none, and that is allowed."""
        from ckptkit import report

        if not (self._allow_empty and _is_empty(one)):
            emit(report.validation(one, color=self._color), None)


def deliver(
    result: Report, form: str | None, outputs: tuple[str, ...], color: str, *, streamed: bool = False
) -> None:
    """Print the report or write it to each of `outputs`; tell a GitHub workflow where it is run by one.

    Args:
        result: What `validate` found.
        form: As asked for.
        outputs: Files to write.
        color: As asked for.
        streamed: Whether the results have been printed already.

    Raises:
        WriteError: A file or standard output cannot be written.
    """
    from ckptkit import report
    from ckptkit.storage.repository import root_of

    root = root_of(Path())
    for output in outputs:
        by_suffix = report.VALIDATION_SUFFIXES.get(PurePath(output).suffix.lower())
        chosen = (form or by_suffix if len(outputs) == 1 else by_suffix or form) or "text"
        emit(report.validations(result, chosen, root=root), output)
    if not outputs:
        shown = wants_color(color, None)
        whole = report.validations_end(result, color=shown) if streamed else ""
        emit(whole or report.validations(result, form or "text", color=shown, root=root), None)
    if os.environ.get("GITHUB_ACTIONS") == "true" and (outputs or form in (None, "text")):
        emit(report.validations(result, "github", root=root), None)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        append(report.validations(result, "md", root=root), summary)


def exit_status(result: Report, *, fail_on: Severity, exit_zero: bool) -> int:
    """Return 0 for clean, 1 for findings, 2 where anything could not be checked."""
    if any(one.incomplete for one in result.results):
        return 2
    counted = {Severity.ERROR, fail_on}
    found = any(finding.severity in counted for one in result.results for finding in one.findings)
    return int(found and not exit_zero)


def _without_empty(result: Report) -> Report:
    """Move paths that exist and hold no checkpoint from the results to what was skipped."""
    empty = [one for one in result.results if _is_empty(one)]
    return replace(
        result,
        results=tuple(one for one in result.results if one not in empty),
        skipped=result.skipped + tuple(one.path for one in empty),
    )


def _is_empty(one: Validation) -> bool:
    codes = {finding.code for finding in one.findings}
    return bool(one.incomplete) and codes <= {NotACheckpointError.code} and Path(one.path).exists()
