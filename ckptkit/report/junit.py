"""What `validate` found, as JUnit XML: a suite for each checkpoint, a case for each rule.

A rule that was not applied, or not to all that it looks at, is a skipped case, so that nothing unchecked
counts as passed; digests that were not compared are the output of the suite, too. Findings below an error
do not fail a case; they are its output.
"""

from xml.sax.saxutils import escape, quoteattr

from ckptkit.checks import Rule, rules
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.results import Report, Validation
from ckptkit.report.styled import lines_of
from ckptkit.report.words import not_compared


def junit(report: Report) -> str:
    """Return the report."""
    suites = [_suite(result) for result in report.results]
    counts = [sum(suite[1][at] for suite in suites) for at in range(3)]
    head = f'<testsuites name="ckptkit" {_counts(counts)}>'
    body = "".join(text for text, _ in suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{body}</testsuites>\n'


def _suite(result: Validation) -> tuple[str, list[int]]:
    """Return the suite's text and its counts: cases, failures, skipped."""
    by_code: dict[str, list[Finding]] = {}
    for finding in result.findings:
        by_code.setdefault(finding.code, []).append(finding)
    cases = [_case(result, rule, by_code.get(rule.code, [])) for rule in rules()]
    counts = [
        len(cases),
        sum("<failure" in case for case in cases),
        sum("<skipped" in case for case in cases),
    ]
    head = f"  <testsuite name={_attribute(result.path)} {_counts(counts)}>\n"
    left = not_compared(result)
    said = f"    <system-out>{escape(lines_of(left))}</system-out>\n" if left else ""
    return head + "".join(cases) + said + "  </testsuite>\n", counts


def _counts(counts: list[int]) -> str:
    return f'tests="{counts[0]}" failures="{counts[1]}" errors="0" skipped="{counts[2]}"'


def _case(result: Validation, rule: Rule, findings: list[Finding]) -> str:
    head = f'    <testcase classname={_attribute(result.path)} name="{rule.code} {rule.name}"'
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    rest = [finding for finding in findings if finding.severity is not Severity.ERROR]
    inside = ""
    if errors:
        inside += (
            f'      <failure type="{rule.code}" message={_attribute(errors[0].message)}>'
            f"{_text(errors)}</failure>\n"
        )
    elif not findings and (why := _unapplied(result, rule)):
        inside += f"      <skipped message={_attribute(why)}/>\n"
    if rest:
        inside += f"      <system-out>{_text(rest)}</system-out>\n"
    return f"{head}>\n{inside}    </testcase>\n" if inside else f"{head}/>\n"


def _unapplied(result: Validation, rule: Rule) -> str:
    """Say why a rule was not applied to all that it looks at; empty where it was."""
    if rule.code in result.unapplied:
        return result.unapplied[rule.code]
    if rule.level <= result.checked:
        return ""
    return result.incomplete or f"rules of level {rule.level} were not applied"


def _text(findings: list[Finding]) -> str:
    lines = []
    for finding in findings:
        place = f"{finding.path}: {finding.location}: " if finding.location else f"{finding.path}: "
        fix = f" · fix: {finding.fix}" if finding.fix else ""
        lines.append(f"{finding.severity}: {place}{finding.message}{fix}")
    return escape(lines_of("\n".join(lines)))


def _attribute(value: str) -> str:
    """Return a quoted value; what XML 1.0 has no form for is written as an escape."""
    return quoteattr(lines_of(value))
