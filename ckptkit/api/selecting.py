"""Which findings are reported: by rule, and by place."""

from dataclasses import dataclass, replace
from pathlib import Path

from ckptkit.model.finding import Finding
from ckptkit.model.places import relative
from ckptkit.model.results import Validation
from ckptkit.model.settings import Settings


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
        return replace(result, findings=tuple(f for f in result.findings if self._reports(f, result.path)))

    def _reports(self, finding: Finding, path: str) -> bool:
        if self.select and not finding.code.startswith(self.select):
            return False
        if self.ignore and finding.code.startswith(self.ignore):
            return False
        if not self.settings.per_path_ignores:
            return True
        root = Path(self.settings.folder).absolute()
        return not finding.code.startswith(
            self.settings.ignored_at(relative(finding.path or path, root)) or ("-",)
        )
