"""Render results: text and JSON, one module for each thing that is rendered.

Every function here returns text that ends in a newline and prints nothing. `color` selects the
form for people at a terminal; without it lines are plain, unwrapped and complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckptkit.checks import Rule
    from ckptkit.model.compatibility import Compatibility
    from ckptkit.model.difference import Difference
    from ckptkit.model.directory import Directory
    from ckptkit.model.migration import Migration
    from ckptkit.model.results import Export, Inspection, Receipt, Recovery, Report, Validation
    from ckptkit.model.runs import Artifact, Integrity, Retention, Selection

JSON = "json"
VALIDATION_FORMS = ("text", "json", "sarif", "junit", "github", "gitlab", "md", "html")
VALIDATION_SUFFIXES = {".json": "json", ".sarif": "sarif", ".xml": "junit", ".md": "md", ".html": "html"}
"""The form of a report file by its suffix."""


def inspections(
    found: Sequence[Inspection | Directory], form: str, *, color: bool = False, several: bool = False
) -> str:
    """Render what `inspect` found.

    Args:
        found: One checkpoint, or one directory of them, each.
        form: `text` or `json`; JSON of one of them is an object, of any other number an array.
        color: Whether a terminal shows the text.
        several: Whether JSON is an array in any case, since more were asked for.
    """
    if form == JSON:
        from ckptkit.report import json_report

        return json_report.inspections(found, several=several)
    from ckptkit.model.directory import Directory
    from ckptkit.report import directory_text, inspection_text
    from ckptkit.report.styled import render

    parts = (
        directory_text.lines(one) if isinstance(one, Directory) else inspection_text.lines(one)
        for one in found
    )
    return "\n".join(render(lines, color=color) for lines in parts)


def graphs(
    found: Sequence[Inspection],
    form: str,
    *,
    color: bool = False,
    width: int | None = None,
    several: bool = False,
) -> str:
    """Draw the network of each checkpoint.

    Args:
        found: One checkpoint each; one alone for `svg`.
        form: `text`, `json`, `svg`, or `md` for Markdown with a Mermaid flowchart.
        color: Whether a terminal shows the text.
        width: Columns of that terminal; None to wrap nothing.
        several: As for `inspections`.
    """
    from ckptkit.report.graph_picture import picture

    drawn = [picture(one) for one in found]
    match form:
        case "json":
            from ckptkit.report.graph_json import documents

            return documents(drawn, several=several)
        case "svg":
            from ckptkit.report.graph_svg import svg

            return svg(drawn[0])
        case "md":
            from ckptkit.report.graph_mermaid import markdown

            return "\n".join(map(markdown, drawn))
    from ckptkit.report.graph_text import lines
    from ckptkit.report.styled import render

    return "\n".join(render(lines(one, width), color=color) for one in drawn)


def validations(report: Report, form: str, *, color: bool = False, root: Path | None = None) -> str:
    """Render what `validate` found, with its summary.

    Args:
        report: What `validate` found.
        form: One of `VALIDATION_FORMS`.
        color: Whether a terminal shows the text.
        root: Folder from which forms for other programs name files; paths as given where left out.
    """
    if form == JSON:
        from ckptkit.report import json_report

        return json_report.validations(report)
    if form != "text":
        from ckptkit.report.validation_forms import for_programs

        return for_programs(report, form, root)
    parts = (validation(result, color=color) for result in report.results)
    return "".join(parts) + validations_end(report, color=color)


def validation(result: Validation, *, color: bool = False) -> str:
    """Render one result of `validate` as text; empty where nothing is to be said of it."""
    from ckptkit.report.styled import render
    from ckptkit.report.validation_text import result as lines

    return render(lines(result, color=color), color=color)


def validations_end(report: Report, *, color: bool = False) -> str:
    """Render what follows the results of `validate` as text: remarks and the summary."""
    from ckptkit.report.styled import render
    from ckptkit.report.validation_text import closing

    return render(closing(report, color=color), color=color)


def receipt(done: Receipt, form: str, *, color: bool = False, list_dropped: bool = False) -> str:
    """Render what `convert` did.

    Args:
        done: The receipt.
        form: `text` or `json`.
        color: Whether a terminal shows the text.
        list_dropped: Give each dropped entry a line, with its reason.
    """
    if form == JSON:
        from ckptkit.report import json_report

        return json_report.receipt(done)
    from ckptkit.report.receipt_text import lines
    from ckptkit.report.styled import render

    return render(lines(done, list_dropped=list_dropped), color=color)


def export(done: Export, form: str, *, color: bool = False) -> str:
    """Render what `export onnx` did."""
    if form == JSON:
        from ckptkit.report import json_report

        return json_report.export(done)
    from ckptkit.report.export_text import lines
    from ckptkit.report.styled import render

    return render(lines(done), color=color)


def migration(done: Migration, form: str, *, color: bool = False) -> str:
    """Render what `migrate` did."""
    if form == JSON:
        from ckptkit.report import migration_json

        return migration_json.migration(done)
    from ckptkit.report.migration_text import lines
    from ckptkit.report.styled import render

    return render(lines(done), color=color)


def difference(found: Difference, form: str, *, color: bool = False) -> str:
    """Render what `diff` found."""
    if form == JSON:
        from ckptkit.report import difference_json

        return difference_json.difference(found)
    from ckptkit.report.difference_text import lines
    from ckptkit.report.styled import render

    return render(lines(found), color=color)


def compatibility(found: Compatibility, form: str, *, color: bool = False) -> str:
    """Render what `compat` found."""
    if form == JSON:
        from ckptkit.report import compatibility_json

        return compatibility_json.compatibility(found)
    from ckptkit.report.compatibility_text import lines
    from ckptkit.report.styled import render

    return render(lines(found), color=color)


def selection(found: Selection, form: str, *, color: bool = False) -> str:
    """Render what `runs list` or `runs select` found."""
    if form == JSON:
        from ckptkit.report import runs_json

        return runs_json.selection(found)
    from ckptkit.report import runs_text
    from ckptkit.report.styled import render

    return render(runs_text.selection(found), color=color)


def retention(done: Retention, form: str, *, color: bool = False) -> str:
    """Render what `runs prune` did."""
    if form == JSON:
        from ckptkit.report import runs_json

        return runs_json.retention(done)
    from ckptkit.report import runs_text
    from ckptkit.report.styled import render

    return render(runs_text.retention(done), color=color)


def artifact(done: Artifact, form: str, *, color: bool = False) -> str:
    """Render what `runs publish` did."""
    if form == JSON:
        from ckptkit.report import runs_json

        return runs_json.artifact(done)
    from ckptkit.report import runs_text
    from ckptkit.report.styled import render

    return render(runs_text.artifact(done), color=color)


def integrity(done: Integrity, form: str, *, color: bool = False) -> str:
    """Render what `runs verify` found."""
    if form == JSON:
        from ckptkit.report import runs_json

        return runs_json.integrity(done)
    from ckptkit.report import runs_text
    from ckptkit.report.styled import render

    return render(runs_text.integrity(done), color=color)


def recovery(found: Recovery | Sequence[Recovery], form: str, *, color: bool = False) -> str:
    """Render what `recover` found; JSON of a sequence, however long, is an array."""
    if form == JSON:
        from ckptkit.report import recover_json

        return recover_json.recovery(found)
    from ckptkit.report.recover_text import lines
    from ckptkit.report.styled import render

    several = found if isinstance(found, Sequence) else [found]
    return "\n".join(render(lines(one), color=color) for one in several)


def rules(known: Sequence[Rule], form: str, *, color: bool = False) -> str:
    """Render the list of rules."""
    if form == JSON:
        from ckptkit.report import json_report

        return json_report.rules(known)
    from ckptkit.report.rules_text import table
    from ckptkit.report.styled import render

    return render(table(known), color=color)


def explanation(rule: Rule, form: str, *, color: bool = False) -> str:
    """Render all that is said of one rule."""
    if form == JSON:
        from ckptkit.report import json_report

        return json_report.rules([rule], single=True)
    from ckptkit.report.rules_text import page
    from ckptkit.report.styled import render

    return render(page(rule), color=color)
