"""What `validate` found, in the forms that other programs and documents take."""

from pathlib import Path

from ckptkit.model.results import Report


def for_programs(report: Report, form: str, root: Path | None) -> str:
    """Render what `validate` found.

    Args:
        report: What it found.
        form: One of `VALIDATION_FORMS` other than text and JSON.
        root: Folder from which files are named; paths as given where left out.
    """
    match form:
        case "sarif":
            from ckptkit.report.sarif import sarif
            from ckptkit.report.words import not_compared

            left = ((one.path, not_compared(one)) for one in report.results if one.not_compared)
            return sarif(report.results, root, left)
        case "junit":
            from ckptkit.report.junit import junit

            return junit(report)
        case "github":
            from ckptkit.report.annotations import github

            return github(report, root)
        case "gitlab":
            from ckptkit.report.annotations import gitlab

            return gitlab(report, root)
        case "md":
            from ckptkit.report.validation_markdown import markdown

            return markdown(report, root)
        case _:
            from ckptkit.report.validation_html import html

            return html(report, root)
