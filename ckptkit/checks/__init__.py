"""Checks: one module a rule family, pure functions from a checkpoint to findings.

A family module defines `RULES`, a tuple of `Rule`; discovery finds it. A check never opens a
file: it looks at the checkpoint's facts and, at level 2, reads bytes through its sources.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from ckptkit.errors import UsageError
from ckptkit.model.finding import Finding, Severity
from ckptkit.model.verify import Verify

if TYPE_CHECKING:
    from ckptkit.model.checkpoint import Checkpoint


MOST_FINDINGS = 1000
"""Findings of one rule that are listed; a small file could break one a million times."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: `CK` and three digits; never reused.
        name: Two to four words in kebab-case.
        severity: Of its findings.
        level: Lowest level that a violation keeps a bundle from.
        musts: Ids of the requirements in `spec/` that it enforces.
        summary: One sentence: what is wrong when it fires.
        why: Why it matters, for `explain`.
        fix: What to do about it, for `explain`.
        check: Yields a finding for each violation; None for a rule that readers raise as errors,
            or that another rule's check reports on the way.
        compare: Likewise, for a rule that reads all bytes; told which of them. Never called with
            `Verify.HEADER`.
        strict: Severity of its findings under `--strict`, where it is another one.
        values: Whether it looks into the values of weights; such a rule runs where that is asked for.
    """

    code: str
    name: str
    severity: Severity
    level: int
    summary: str
    why: str
    fix: str
    musts: tuple[str, ...] = ()
    check: "Callable[[Checkpoint], Iterator[Finding]] | None" = None
    compare: "Callable[[Checkpoint, Verify], Iterator[Finding]] | None" = None
    strict: Severity | None = None
    values: bool = False

    def findings(self, checkpoint: "Checkpoint", verify: Verify = Verify.ALL) -> Iterator[Finding]:
        """Yield a finding for each violation.

        Args:
            checkpoint: What was read.
            verify: Which bytes are compared with recorded digests.
        """
        if self.check is not None:
            yield from self.check(checkpoint)
        if self.compare is not None and verify is not Verify.HEADER:
            yield from self.compare(checkpoint, verify)


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, sorted by code."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    found = (rule for module in modules for rule in getattr(module, "RULES", ()))
    return tuple(sorted(found, key=lambda rule: rule.code))


def run(
    checkpoint: "Checkpoint",
    level: int,
    *,
    strict: bool = False,
    values: bool = False,
    verify: Verify = Verify.ALL,
) -> tuple[Finding, ...]:
    """Apply every rule of `level` and below.

    Args:
        checkpoint: What was read.
        level: Rules above it are not applied, so that a low level reads no tensor bytes.
        strict: Give the findings of a rule its severity under `--strict`.
        values: Apply the rules that look into the values of weights, too.
        verify: Which bytes are compared with recorded digests.

    Returns:
        Findings in a stable order, each once, without those that another one explains.
    """
    found: list[Finding] = []
    for rule in rules():
        if rule.level <= level and (values or not rule.values):
            found += _first(rule, checkpoint, verify)
    harder = {rule.code: rule.strict for rule in rules() if rule.strict} if strict else {}
    return settle(replace(f, severity=harder.get(f.code, f.severity)) for f in found)


def _first(rule: Rule, checkpoint: "Checkpoint", verify: Verify) -> list[Finding]:
    """Return the findings of a rule, or the first of very many and one that says so."""
    found = list(islice(rule.findings(checkpoint, verify), MOST_FINDINGS + 1))
    if len(found) > MOST_FINDINGS:
        last, path = found.pop(), found[0].path
        message = f"more than {MOST_FINDINGS} findings of this rule; the others are not listed"
        found.append(Finding(last.code, last.severity, message, path))
    return found


def unasked(*, values: bool) -> dict[str, str]:
    """Return the rules of every level that `run` passes over unless they are asked for, with the reason."""
    return {
        rule.code: "looks into the values of weights, with --weights"
        for rule in rules()
        if rule.values and not values
    }


def settle(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by path, code, location and message, and drop what another one explains.

    Left out are repetitions; a schema violation where a rule of its own says more of the same
    place; and the digest of a file whose header or tensors already tell which bytes changed
    (between them they are all of it).
    """
    unique = set(findings)
    special = {(f.path, f.location) for f in unique if "CK203" <= f.code < "CK300" and f.code != "CK206"}
    damaged = {f.path for f in unique if f.code in ("CK301", "CK310")}

    def explained(finding: Finding) -> bool:
        if finding.code == "CK202":
            return (finding.path, finding.location) in special
        return finding.code == "CK302" and finding.path in damaged

    kept = (finding for finding in unique if not explained(finding))
    return tuple(sorted(kept, key=lambda f: (f.path, f.code, f.location, f.message)))


def expand(word: str) -> str:
    """Return a rule's code, or a prefix of codes, in capitals; a rule's name becomes its code.

    Raises:
        UsageError: No rule is meant, so that the word would select nothing; the message suggests the nearest.
    """
    prefix = word.upper()
    if len(word) > 2 and any(rule.code.startswith(prefix) for rule in rules()):
        return prefix
    return find(word).code


def find(code: str) -> Rule:
    """Return the rule of that code or name.

    Raises:
        UsageError: There is none; the message suggests the nearest.
    """
    import difflib

    by_key = {key: rule for rule in rules() for key in (rule.code, rule.name)}
    rule = by_key.get(code) or by_key.get(code.upper())
    if rule:
        return rule
    near = difflib.get_close_matches(code.upper(), by_key, 1, 0.5) or difflib.get_close_matches(
        code, by_key, 1, 0.5
    )
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"no rule {code!r}", fix=f"{hint}`ckptkit rules` lists them")
