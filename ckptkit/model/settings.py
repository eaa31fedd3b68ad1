"""What a project has settled for `validate`: levels, rules, and places where rules are not reported."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from ckptkit.model.finding import Severity
from ckptkit.model.verify import Verify


class Lfs(StrEnum):
    """What a Git LFS or DVC pointer means where content is needed.

    `POINTER`: it is compared with what the manifest says, and the check stays incomplete; `REQUIRE`: it
    is an error; `SKIP`: it is compared, and that the content is missing is no more than a remark.
    """

    POINTER = "pointer"
    REQUIRE = "require"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How one checkpoint is checked; equal ones give equal results for equal files.

    Attributes:
        level: Level that it must reach; None for all that it claims, up to level 3.
        strict: Whether unknown manifest fields are refused.
        lfs: What a pointer means where content is needed.
        weights: Whether to look into the values of weights, which reads them all.
        max_bytes: Size that it may not exceed; 0 for none.
        verify: Which bytes are compared with recorded digests.
    """

    level: int | None = None
    strict: bool = False
    lfs: Lfs = Lfs.POINTER
    weights: bool = False
    max_bytes: int = 0
    verify: Verify = Verify.ALL


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
        weights: Whether to look into the values of weights, which reads them all.
        max_bytes: Size that no checkpoint may exceed; 0 for none.
        verify: Which bytes are compared with recorded digests.
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
    weights: bool = False
    max_bytes: int = 0
    verify: Verify = Verify.ALL
    per_path_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folder: str = ""
    file: str = ""

    @property
    def how(self) -> How:
        """How one checkpoint is checked under these settings."""
        return How(
            level=self.level,
            strict=self.strict,
            lfs=self.lfs,
            weights=self.weights,
            max_bytes=self.max_bytes,
            verify=self.verify,
        )

    def ignored_at(self, path: str) -> tuple[str, ...]:
        """Return the codes and prefixes that are not reported at a path.

        Args:
            path: From `folder`, with forward slashes.
        """
        return tuple(
            code
            for glob, codes in self.per_path_ignores.items()
            if glob_pattern(glob).match(path)
            for code in codes
        )


@cache
def glob_pattern(glob: str, *, inside: bool = True) -> re.Pattern[str]:
    """Return the pattern of a glob as `.gitignore` has them.

    `*` stays within a folder and `**` does not, and one without a slash holds at any depth.

    Args:
        glob: What is written.
        inside: Whether what matches a folder matches all that lies in it; it does not in `.gitattributes`.
    """
    anchored = glob.strip("/")
    text = "" if "/" in anchored or glob.startswith("/") else "(?:.*/)?"
    for part in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", anchored):
        text += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return re.compile(f"{text}{'(?:/.*)?' if inside else ''}\\Z", re.DOTALL)
