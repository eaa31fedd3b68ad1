"""Which files have changed since a revision, by git's own word."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from ckptkit.errors import UsageError

TIMEOUT_S = 120


def since(revision: str, path: Path) -> Iterator[Path]:
    """Yield the files at or below a path that differ from a revision, deleted ones and untracked ones too.

    Raises:
        UsageError: There is no repository, git is missing, or it does not know the revision.
    """
    folder = path if path.is_dir() else path.parent
    inside = "." if path.is_dir() else path.name
    # `--relative` and the working directory make the names relative to `folder`; -z leaves them as they are.
    known = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    commit = known.decode("ascii", "replace").strip()
    differing = _git(
        folder,
        "diff",
        "--name-only",
        "--no-renames",
        "--no-ext-diff",
        "--relative",
        "-z",
        commit,
        "--",
        inside,
    )
    untracked = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", inside)
    for name in sorted({*differing.split(b"\0"), *untracked.split(b"\0")} - {b""}):
        yield folder / name.decode("utf-8", "surrogateescape")


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        run = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],
            cwd=folder,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        what = "git is not installed" if folder.is_dir() else "no such directory"
        raise UsageError(what, where=str(folder), fix="--changed-since needs git and a repository") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git did not answer: {error}", where=str(folder)) from error
    if run.returncode:
        said = run.stderr.decode("utf-8", "replace").strip().splitlines()
        what = said[-1] if said else "git does not know the revision"
        raise UsageError(what, where=str(folder), fix="give a commit, branch or tag of this repository")
    return run.stdout
