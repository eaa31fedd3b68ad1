"""What a project has settled for `validate`: levels, rules, and places where rules are not reported."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from ckptkit.model.finding import Severity


class Lfs(StrEnum):
    """What a Git LFS or DVC pointer means where content is needed.

    `POINTER`: it is compared with what the manifest says, and the check stays incomplete; `REQUIRE`: it
    is an error; `SKIP`: it is compared, and that the content is missing is no more than a remark.
    """

    POINTER = "pointer"
    REQUIRE = "require"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of `validate`.

    Attributes:
        level: Level that each checkpoint must reach; None for what each one claims.
        strict: Whether unknown manifest fields are refused.
        select: Codes and prefixes of rules to report; empty for all.
        ignore: Codes and prefixes of rules not to report.
        fail_on: Lowest severity that gives exit status 1.
        exit_zero: Whether findings give exit status 0.
        allow_empty: Whether a path that holds no checkpoint is passed over.
        baseline: Path of the baseline; empty for none.
        lfs: What a pointer means where content is needed.
        per_path_ignores: Globs, to codes and prefixes that are not reported there.
        folder: What globs are relative to; empty for the working directory.
        file: Where all this stands; empty where nothing does.
    """

    level: int | None = None
    strict: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: Severity = Severity.ERROR
    exit_zero: bool = False
    allow_empty: bool = False
    baseline: str = ""
    lfs: Lfs = Lfs.POINTER
    per_path_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folder: str = ""
    file: str = ""

    def ignored_at(self, path: str) -> tuple[str, ...]:
        """Return the codes and prefixes that are not reported at a path.

        Args:
            path: From `folder`, with forward slashes.
        """
        return tuple(
            code
            for glob, codes in self.per_path_ignores.items()
            if _pattern(glob).match(path)
            for code in codes
        )


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    """Return the pattern of a glob as `.gitignore` has them.

    `*` stays within a folder and `**` does not, one without a slash holds at any depth, and what
    matches a folder matches all that lies in it.
    """
    anchored = glob.strip("/")
    text = "" if "/" in anchored or glob.startswith("/") else "(?:.*/)?"
    for part in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", anchored):
        text += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return re.compile(f"{text}(?:/.*)?\\Z", re.DOTALL)
