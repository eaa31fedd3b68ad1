"""The journal of files that belong together: which there are, where each goes, and what it replaces.

One is written by a run and read by the next, and anybody may have written it instead.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ckptkit.model.ijson import parse
from ckptkit.storage.leftovers import JOURNAL, SET
from ckptkit.storage.output import create
from ckptkit.storage.source import FileSource

MAX_FILES = 64
MAX_BYTES = 1 << 16
_FIELDS = ("path", "sha256", "was")
_NAME = re.compile(r"[^./\\\0][^/\\\0]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a set.

    Attributes:
        staged: Where it waits: the number of the file in the folder of the set.
        place: Where it goes.
        sha256: Of its bytes.
        was: Of the bytes that it replaces; empty where it replaces nothing.
    """

    staged: Path
    place: Path
    sha256: str
    was: str


def write(folder: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Write a journal into a folder.

    Args:
        folder: Of the files, which are called by their numbers.
        rows: Path, sha256 and what it was, of each file; the main one's last.
    """
    # A file name is bytes, for which JSON has no form.
    quoted = ((quote_from_bytes(os.fsencode(path)), sha256, was) for path, sha256, was in rows)
    files = [dict(zip(_FIELDS, row, strict=True)) for row in quoted]
    with create(folder / JOURNAL) as output:
        output.write(json.dumps({"files": files}, indent=1).encode())


def read(folder: Path, waiting: Path) -> tuple[Member, ...]:
    """Return the files that a journal names; none where it breaks a rule.

    Args:
        folder: Where the journal lies.
        waiting: Where the files wait, in the end.

    Raises:
        CkptkitError: It cannot be read.
    """
    if (folder / JOURNAL).is_symlink():
        return ()
    source = FileSource(folder / JOURNAL)
    document = parse(source.read(0, min(source.size, MAX_BYTES + 1)), max_bytes=MAX_BYTES)
    found = document.get("files") if isinstance(document, dict) else None
    rows = [_row(row) for row in found] if isinstance(found, list) else []
    if not are_places([path for path, _, _ in rows], waiting.name[1:].removesuffix(SET)):
        return ()
    return tuple(
        Member(waiting / str(number), waiting.parent.joinpath(*path.split("/")), sha256, was)
        for number, (path, sha256, was) in enumerate(rows)
    )


def _row(row: object) -> tuple[str, str, str]:
    """Return path, sha256 and what it was; an empty path, which is none, where it is no row."""
    if not isinstance(row, dict) or row.keys() != set(_FIELDS):
        return "", "", ""
    path, sha256, was = (row[field] for field in _FIELDS)
    texts = isinstance(path, str) and isinstance(sha256, str) and isinstance(was, str)
    if not texts or not _SHA256.fullmatch(sha256) or (was and not _SHA256.fullmatch(was)):
        return "", "", ""
    return os.fsdecode(unquote_to_bytes(path)), sha256, was


def are_places(paths: Sequence[str], main: str) -> bool:
    """Whether all are plain names beside the main file, or in the folder that has its stem for a name.

    No two are the same, on any system, and the main file is the last.
    """
    if not 0 < len(paths) <= MAX_FILES or len({path.casefold() for path in paths}) < len(paths):
        return False
    stem = PurePath(main).stem
    folders = ("", stem + "/") if stem.strip(".") else ("",)
    starts = [path[: path.rfind("/") + 1] for path in paths[:-1]]
    names = [path[path.rfind("/") + 1 :] for path in paths[:-1]]
    return paths[-1] == main and set(starts) <= set(folders) and all(map(_NAME.fullmatch, names))
