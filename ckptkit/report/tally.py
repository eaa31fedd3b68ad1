"""How many checkpoints are sound, as text and JSON count them."""

from ckptkit.model.finding import Severity
from ckptkit.model.results import Report, Validation


def failed(result: Validation) -> bool:
    """Whether a checkpoint has an error."""
    return any(finding.severity is Severity.ERROR for finding in result.findings)


def tally(report: Report) -> dict[str, int]:
    """Return the counts of `validate-report-1.0`, in its order.

    A checkpoint is `incomplete` where it could not be checked, else `failed` where it has an
    error, else `ok`. Errors and warnings are findings.
    """
    incomplete = sum(1 for result in report.results if result.incomplete)
    bad = sum(1 for result in report.results if failed(result) and not result.incomplete)
    severities = [finding.severity for result in report.results for finding in result.findings]
    return {
        "checked": len(report.results),
        "ok": len(report.results) - incomplete - bad,
        "failed": bad,
        "incomplete": incomplete,
        "errors": severities.count(Severity.ERROR),
        "warnings": severities.count(Severity.WARNING),
        "skipped": len(report.skipped),
        "accepted": sum(len(result.pardoned) for result in report.results),
    }
