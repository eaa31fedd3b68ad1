"""Results of earlier runs, for checkpoints whose files have not changed since."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Self

from ckptkit import checks
from ckptkit.api.reading import is_checkpoint
from ckptkit.digest import text_sha256
from ckptkit.model.finding import Finding, Severity, Verdict
from ckptkit.model.results import Validation
from ckptkit.model.settings import How, Settings
from ckptkit.storage.result_cache import ResultCache, opened
from ckptkit.storage.stamps import stamp
from ckptkit.version import __version__


def ruleset() -> str:
    """Return what names the rules of this ckptkit: its version and a digest of all that they say."""
    said = [[rule.code, rule.severity, rule.level, rule.summary, rule.strict] for rule in checks.rules()]
    return f"{__version__}+{text_sha256(json.dumps(said))[:12]}"


@dataclass(frozen=True, slots=True)
class Cached:
    """Checks checkpoints, unless it knows the result.

    Attributes:
        how: How each checkpoint is checked.
        cache: What is known; None to check everything.
        met: Results of folders that were found in it when they were claimed, until they are asked for.
    """

    how: How
    cache: ResultCache | None = None
    met: dict[Path, Validation] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def opened(cls, known: Settings) -> Iterator[Self]:
        """Give one with the cache of the user; what is new is kept when the block ends."""
        said = ",".join(one.name for one in fields(Validation))
        options = (ruleset(), said, os.getcwd(), *astuple(known.how))  # noqa: PTH109
        with opened(options) as cache:
            yield cls(known.how, cache)

    def claims(self, folder: Path) -> bool:
        """Whether a directory is one checkpoint."""
        known = self._look_up(folder)
        if known is None:
            return is_checkpoint(folder)
        self.met[folder] = known
        return True

    def find(self, path: Path) -> Validation | None:
        """Return the result that is known of a path; None where there is none."""
        return self.met.pop(path, None) or self._look_up(path)

    def _look_up(self, path: Path) -> Validation | None:
        body = self.cache.get(str(path), stamp(path)) if self.cache is not None else None
        return None if body is None else _parsed(body)

    def keep(self, path: Path, result: Validation) -> None:
        """Remember a result, unless something could not be checked or may still be changing."""
        if self.cache is not None and not result.incomplete:
            self.cache.put(str(path), stamp(path, settled=True), _rendered(result))


def uncached(known: Settings) -> Cached:
    """Return one that knows nothing."""
    return Cached(known.how)


def _rendered(result: Validation) -> str:
    return json.dumps(asdict(result))


def _parsed(body: str) -> Validation:
    fields = json.loads(body)
    findings = tuple(
        Finding(**{**one, "severity": Severity(one["severity"])}) for one in fields.pop("findings")
    )
    verdict = Verdict(fields.pop("verdict"))
    fields.pop("pardoned")
    return Validation(findings=findings, verdict=verdict, **fields)
