"""Checks: one module a rule family, pure functions from a checkpoint to findings.

A family module defines `RULES`, a tuple of `Rule`; discovery finds it. A check never opens a
file: it looks at the checkpoint's facts and, at level 2, reads tensor bytes through it.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from ckptkit.errors import UsageError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.finding import Finding, Severity


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
        check: Yields a finding for each violation; None for a rule that readers raise as errors.
        strict_only: Whether it is applied under `--strict` alone.
    """

    code: str
    name: str
    severity: Severity
    level: int
    summary: str
    why: str
    fix: str
    musts: tuple[str, ...] = ()
    check: Callable[[Checkpoint], Iterator[Finding]] | None = None
    strict_only: bool = False


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, sorted by code."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return tuple(sorted((rule for module in modules for rule in module.RULES), key=lambda rule: rule.code))


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
