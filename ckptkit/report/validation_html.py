"""What `validate` found, as one HTML page that needs nothing else: no script, no font, no request."""

from html import escape
from pathlib import Path

from ckptkit.checks import find
from ckptkit.model.finding import Finding
from ckptkit.model.levels import NAMES
from ckptkit.model.places import relative
from ckptkit.model.results import Report, Validation
from ckptkit.report.styled import one_line
from ckptkit.report.tally import failed, tally
from ckptkit.report.words import not_compared, plural

STYLE = """
:root { color-scheme: light dark; --line: #8884;
  --bad: #c62828; --warn: #b26a00; --good: #2e7d32; --note: #0277bd }
@media (prefers-color-scheme: dark) {
  :root { --bad: #ef9a9a; --warn: #ffcc80; --good: #a5d6a7; --note: #81d4fa }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } .counts { display: flex; gap: 1.5rem; flex-wrap: wrap; padding: 0; list-style: none }
.counts b { display: block; font-size: 1.8rem; line-height: 1.2 }
details { border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0; padding: .5rem .9rem }
summary { cursor: pointer; overflow-wrap: anywhere } summary small { opacity: .75 }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 }
td, th { border-top: 1px solid var(--line); padding: .35rem .6rem .35rem 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere }
td:first-child, th { white-space: nowrap } .fix { opacity: .8 }
code { font-size: .9em }
.error, .failed { color: var(--bad) } .warning, .incomplete { color: var(--warn) } .ok { color: var(--good) }
.info { color: var(--note) }
"""
MARKS = {"ok": "✓", "failed": "✗", "incomplete": "?"}


def html(report: Report, root: Path | None) -> str:
    """Return the page: counts, then each checkpoint with its findings, those with errors opened."""
    counts = tally(report)
    shown = ("ok", "failed", "incomplete", "skipped", "errors", "warnings")
    boxes = "".join(f'<li><b class="{_kind(name)}">{counts[name]}</b>{name}</li>' for name in shown)
    title = f"ckptkit: {plural(counts['checked'], 'checkpoint')}"
    body = "".join(_checkpoint(result, root) for result in report.results)
    skipped = "".join(f"<p>{_text(relative(path, root))}: holds no checkpoint</p>" for path in report.skipped)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style></head>\n"
        f'<body>\n<h1>{title}</h1>\n<ul class="counts">{boxes}</ul>\n{body}{skipped}</body>\n</html>\n'
    )


def _kind(name: str) -> str:
    return {"errors": "error", "warnings": "warning"}.get(name, name)


def _checkpoint(result: Validation, root: Path | None) -> str:
    state = "incomplete" if result.incomplete else "failed" if failed(result) else "ok"
    level = f"level {result.level} {NAMES[result.level]}" if result.level >= 0 else "not readable"
    said = f"not checked: {result.incomplete}" if result.incomplete else level
    left = not_compared(result)
    head = (
        f'<span class="{state}">{MARKS[state]}</span> {_text(relative(result.path, root))} '
        f"<small>{_text(said)} · {result.verdict} · {plural(len(result.findings), 'finding')}"
        f"{' · ' if left else ''}{_text(left)}</small>"
    )
    if not result.findings:
        said = _text(result.next_level or "nothing to report")
        return f"<details><summary>{head}</summary><p>{said}</p></details>\n"
    rows = "".join(_row(finding, result, root) for finding in result.findings)
    table = f"<table><tr><th>rule<th>severity<th>where<th>what</tr>{rows}</table>"
    opened = " open" if state != "ok" else ""
    return f"<details{opened}><summary>{head}</summary>{table}</details>\n"


def _row(finding: Finding, result: Validation, root: Path | None) -> str:
    place = relative(finding.path or result.path, root) + (f":{finding.line}" if finding.line else "")
    inside = f"<br><code>{_text(finding.location)}</code>" if finding.location else ""
    fix = f'<br><span class="fix">fix: {_text(finding.fix)}</span>' if finding.fix else ""
    rule = find(finding.code)
    title = f'<span title="{escape(rule.summary)}">{finding.code}</span><br><small>{rule.name}</small>'
    said = f"{_text(finding.message)}{fix}"
    weight = f'<td class="{finding.severity}">{finding.severity}'
    return f"<tr><td>{title}{weight}<td><code>{_text(place)}</code>{inside}<td>{said}</tr>"


def _text(value: str) -> str:
    return escape(one_line(value))
