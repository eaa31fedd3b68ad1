"""Take a project's settings for `validate` from its file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ckptkit import checks, schema
from ckptkit.errors import UsageError
from ckptkit.model.finding import Severity
from ckptkit.model.settings import Lfs, Settings
from ckptkit.model.verify import Verify
from ckptkit.schema import catalogue
from ckptkit.schema.apply import UNKNOWN
from ckptkit.storage import settings_file

SCHEMA = "config-1.0"


def settings(path: str | Path | None = None, *, start: str | Path = ".") -> Settings:
    """Return a project's settings; the defaults where it has none.

    Args:
        path: File to take them from; the nearest at or above `start` where left out.
        start: Folder from which to look.

    Raises:
        UsageError: The file cannot be read, or holds keys, values or rules that do not exist; all of them
            are named at once.
    """
    found = settings_file.find(Path(start)) if path is None else (Path(path), settings_file.read(Path(path)))
    if found is None:
        return Settings()
    file, table = found
    problems = [*_wrong(table), *_unknown_rules(table)]
    if problems:
        raise UsageError("; ".join(problems), where=str(file), fix="docs/configuration.md lists the settings")
    return _settings(file, table)


def _wrong(table: Mapping[str, object]) -> list[str]:
    problems = []
    known = list(catalogue.find(SCHEMA)["properties"])
    for problem in schema.validate(SCHEMA, table, strict=True):
        key = problem.pointer.removeprefix("/")
        if problem.kind == UNKNOWN and "/" not in key:
            import difflib

            near = difflib.get_close_matches(key, known, 1, 0.5)
            problems.append(f"unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""))
        else:
            problems.append(f"{key.replace('/', '.')} {problem.message}")
    return problems


def _unknown_rules(table: Mapping[str, object]) -> list[str]:
    ignores = table.get("per-path-ignores")
    lists = [table.get("select"), table.get("ignore")]
    lists += list(ignores.values()) if isinstance(ignores, Mapping) else []
    problems = []
    for codes in lists:
        for code in codes if isinstance(codes, list) else ():
            try:
                checks.expand(str(code))
            except UsageError as error:
                problems.append(f"{error.what} ({error.fix})")
    return problems


def _settings(file: Path, table: Mapping[str, Any]) -> Settings:
    baseline = str(table.get("baseline", ""))
    ignores = cast("Mapping[str, Sequence[str]]", table.get("per-path-ignores", {}))
    return Settings(
        level=table.get("level"),
        strict=table.get("strict", False),
        select=_codes(table.get("select", ())),
        ignore=_codes(table.get("ignore", ())),
        fail_on=Severity(table.get("fail-on", "error")),
        exit_zero=table.get("exit-zero", False),
        allow_empty=table.get("allow-empty", False),
        baseline=str(file.parent / baseline) if baseline else "",
        weights=table.get("weights", False),
        max_bytes=table.get("max-bytes", 0),
        lfs=Lfs(table.get("lfs", Lfs.POINTER)),
        verify=Verify(table.get("verify", Verify.ALL)),
        per_path_ignores={glob: _codes(codes) for glob, codes in ignores.items()},
        folder=str(file.parent),
        file=str(file),
    )


def _codes(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(checks.expand(word) for word in words)
