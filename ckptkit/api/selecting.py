"""Which findings are reported: by rule, and by place."""

from dataclasses import dataclass, replace
from pathlib import Path

from ckptkit.checks import rules
from ckptkit.model.finding import Finding
from ckptkit.model.places import relative
from ckptkit.model.results import Validation
from ckptkit.model.settings import Settings

SILENT = "its findings are not to be reported"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which findings are reported.

    Attributes:
        select: Codes and prefixes; empty for all.
        ignore: Codes and prefixes that are left out all the same.
        settings: Says what is left out where.
    """

    select: tuple[str, ...]
    ignore: tuple[str, ...]
    settings: Settings

    def of(self, result: Validation) -> Validation:
        """Return a result without the findings that are not reported."""
        findings = tuple(f for f in result.findings if self._reports(f, result.path))
        silent = {rule.code: SILENT for rule in rules() if not self._chooses(rule.code)}
        return replace(result, findings=findings, unapplied={**result.unapplied, **silent})

    def _chooses(self, code: str) -> bool:
        """Whether findings of a rule are reported anywhere."""
        return code.startswith(self.select or ("",)) and not code.startswith(self.ignore or ("-",))

    def _reports(self, finding: Finding, path: str) -> bool:
        if not self._chooses(finding.code):
            return False
        if not self.settings.per_path_ignores:
            return True
        root = Path(self.settings.folder).absolute()
        return not finding.code.startswith(
            self.settings.ignored_at(relative(finding.path or path, root)) or ("-",)
        )
