"""Look around a checkpoint: file modes, `.gitattributes`, the source beside it. Nothing is changed.

Source of the attribute patterns: git 2.47 documentation, gitattributes(5) and gitignore(5).
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from ckptkit.errors import CkptkitError
from ckptkit.model.checkpoint import Checkpoint
from ckptkit.model.manifest import NAME, carried
from ckptkit.model.settings import glob_pattern
from ckptkit.model.surroundings import FileFacts, Origin, Surroundings
from ckptkit.storage.source import FileSource

ATTRIBUTES = ".gitattributes"
MAX_ATTRIBUTES_BYTES = 1 << 20
_FILTER = re.compile(r"(?:^|\s)(-filter|!filter|filter(?:=(\S+))?)(?=\s|$)")

Patterns = tuple[tuple["re.Pattern[str]", bool], ...]


def look(checkpoint: Checkpoint, max_bytes: int = 0) -> Surroundings:
    """Return what is around a checkpoint that was read from disk.

    Args:
        checkpoint: What was read.
        max_bytes: Size that no checkpoint here may exceed; 0 for none.
    """
    path = Path(checkpoint.path)
    files = tuple(_facts(path))
    return Surroundings(files, tuple(_origins(checkpoint, path)), max_bytes)


def _facts(path: Path) -> Iterator[FileFacts]:
    repository = _repository(path)
    for file in _files(path):
        try:
            status = file.stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            lfs = None if repository is None else _in_lfs(repository, file.absolute())
            yield FileFacts(str(file), status.st_size, bool(status.st_mode & stat.S_IWOTH), lfs)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in sorted(names))


def _repository(path: Path) -> Path | None:
    here = path.absolute()
    return next((folder for folder in here.parents if (folder / ".git").exists()), None)


def _in_lfs(repository: Path, file: Path) -> bool:
    """Whether the last pattern that matches, of the file nearest to it, names the filter `lfs`."""
    found = False
    folders = [folder for folder in reversed(file.parents) if folder.is_relative_to(repository)]
    for folder in folders:
        name = file.relative_to(folder).as_posix()
        for pattern, lfs in _attributes(folder / ATTRIBUTES):
            if pattern.match(name):
                found = lfs
    return found


@lru_cache(maxsize=256)
def _attributes(path: Path) -> Patterns:
    """Return the patterns that say something of the filter, in their order."""
    try:
        source = FileSource(path)
        text = source.read(0, min(source.size, MAX_ATTRIBUTES_BYTES)).decode("utf-8", "replace")
    except CkptkitError:
        return ()
    made = []
    for line in text.splitlines():
        glob, _, attributes = line.strip().partition(" ")
        said = _FILTER.search(attributes)
        # A pattern that ends in a slash means folders, which have no attributes.
        if glob and not glob.startswith("#") and not glob.endswith("/") and said:
            made.append((glob_pattern(glob, inside=False), said[2] == "lfs"))
    return tuple(made)


def _origins(checkpoint: Checkpoint, path: Path) -> Iterator[Origin]:
    """Yield the files in the bundle's folder that its lineage names."""
    lineage = carried(checkpoint).get("lineage")
    rows = lineage.get("files") if isinstance(lineage, Mapping) else None
    for row in rows if isinstance(rows, list) else ():
        name, digest = (row.get("path"), row.get("sha256")) if isinstance(row, Mapping) else (None, None)
        if not isinstance(name, str) or not isinstance(digest, str) or not _is_plain(name):
            continue
        beside = path.parent / name
        if beside.is_file() and not beside.samefile(path):
            try:
                source = FileSource(beside)
                since = source.size != row.get("size") or _is_newer(beside, path)
                yield Origin(str(beside), source, digest.lower(), since)
            except CkptkitError:
                continue


def _is_newer(file: Path, bundle: Path) -> bool:
    """Whether a file was changed when the bundle stood already, or in the same moment."""
    made = bundle / NAME if bundle.is_dir() else bundle
    try:
        return file.stat().st_mtime_ns >= made.stat().st_mtime_ns
    except OSError:
        return True


def _is_plain(name: str) -> bool:
    """Whether a name is that of a file and leads nowhere else."""
    return bool(name) and name not in (".", "..") and not set(name) & set("/\\:\0")
