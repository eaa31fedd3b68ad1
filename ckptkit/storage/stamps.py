"""What the system says of files without opening them: size, time, inode."""

import os
import stat
import time
from pathlib import Path

from ckptkit.digest import text_sha256

SETTLED_NS = 2_000_000_000
"""A file that changed less than this before may change again within one tick of its clock."""


def stamp(path: Path, *, settled: bool = False) -> str:
    """Return a digest that changes whenever a checkpoint's files do; empty where nothing is to be said.

    Args:
        path: A directory that is one checkpoint, with all below it; or a file, with the time of its folder,
            which changes when something appears beside it.
        settled: Give an empty one where anything changed just now.
    """
    try:
        rows = _below(str(path))
        rows.sort()
        if len(rows) == 1 and not path.is_dir():
            rows.append(_row(str(path.absolute().parent), "..", sizes=False))
    except OSError:
        return ""
    if settled and max(row[2] for row in rows) > time.time_ns() - SETTLED_NS:
        return ""
    return text_sha256("\n".join("\t".join(map(str, row)) for row in rows))


Row = tuple[str, int, int, int, int]
"""Name, size, time of change in nanoseconds, inode, mode."""


def _below(root: str) -> list[Row]:
    """Return the rows of a path and of all below it."""
    rows, folders = [_row(root, "")], []
    if stat.S_ISDIR(rows[0][4]):
        folders.append((root, ""))
    while folders:
        folder, within = folders.pop()
        with os.scandir(folder) as listing:
            for entry in listing:
                row = _row(entry.path, f"{within}/{entry.name}")
                rows.append(row)
                if stat.S_ISDIR(row[4]):
                    folders.append((entry.path, row[0]))
    return rows


def _row(path: str, name: str, *, sizes: bool = True) -> Row:
    status = os.stat(path)  # noqa: PTH116 -- called for every file of ten thousand bundles
    size = 0 if stat.S_ISDIR(status.st_mode) or not sizes else status.st_size
    return name, size, status.st_mtime_ns, status.st_ino, status.st_mode
