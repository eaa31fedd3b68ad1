"""Results of earlier runs, in one sqlite file of the user's cache folder.

A cache that cannot be read or written is no cache: nothing here raises for it.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

FOLDER_VARIABLE = "CKPTKIT_CACHE_DIR"
NAME = "results-1.sqlite"
MAX_ROWS = 100_000
_TABLE = """
CREATE TABLE IF NOT EXISTS results (
    path TEXT, options TEXT, stamp TEXT, used INTEGER, body TEXT, PRIMARY KEY (path, options)
) WITHOUT ROWID
"""

Row = tuple[str, str, str, str]
"""Path, options, stamp and body."""


def location() -> Path:
    """Return the file of the cache: below `CKPTKIT_CACHE_DIR`, else where the system keeps caches."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen) / NAME
    import platformdirs

    return Path(platformdirs.user_cache_dir("ckptkit", appauthor=False)) / NAME


def clean() -> int:
    """Remove the cache; return its size in bytes, 0 where there was none."""
    file = location()
    removed = 0
    for path in (file, *file.parent.glob(f"{NAME}-*")):
        with suppress(OSError):
            size = path.stat().st_size
            path.unlink()
            removed += size
    return removed


class ResultCache:
    """An open cache."""

    def __init__(self, connection: "sqlite3.Connection | None", options: str) -> None:
        self._connection = connection
        self._options = options
        self._fresh: list[Row] = []
        self._used: list[str] = []

    def get(self, path: str, stamp: str) -> str | None:
        """Return the body that was kept for a path under that stamp."""
        if self._connection is None or not stamp:
            return None
        row = None
        with suppress(_errors()):
            row = self._connection.execute(
                "SELECT body FROM results WHERE path = ? AND options = ? AND stamp = ?",
                (path, self._options, stamp),
            ).fetchone()
        if row is None:
            return None
        self._used.append(path)
        return str(row[0])

    def put(self, path: str, stamp: str, body: str) -> None:
        """Keep a body once the cache is closed; nothing where the stamp is empty."""
        if stamp:
            self._fresh.append((path, self._options, stamp, body))

    def save(self) -> None:
        """Write what is new, and drop what was used longest ago where there is too much."""
        if self._connection is None:
            return
        now = time.time_ns()
        with suppress(_errors()), self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO results (path, options, stamp, body, used) VALUES (?, ?, ?, ?, ?)",
                [(*row, now) for row in self._fresh],
            )
            self._connection.executemany(
                "UPDATE results SET used = ? WHERE path = ? AND options = ?",
                [(now, path, self._options) for path in self._used],
            )
            self._prune()

    def _prune(self) -> None:
        assert self._connection is not None  # noqa: S101 -- for the type checker
        (count,) = self._connection.execute("SELECT count(*) FROM results").fetchone()
        if count > MAX_ROWS:
            self._connection.execute(
                "DELETE FROM results WHERE (path, options) IN "
                "(SELECT path, options FROM results ORDER BY used LIMIT ?)",
                (count - MAX_ROWS,),
            )


@contextmanager
def opened(options: Sequence[object]) -> Iterator[ResultCache]:
    """Give the cache of results under these options; what is new is written when the block ends."""
    connection = _connect()
    if connection is None:
        yield ResultCache(None, "")
        return
    with closing(connection):
        cache = ResultCache(connection, "\t".join(map(str, options)))
        yield cache
        cache.save()


def _errors() -> type[Exception]:
    import sqlite3

    return sqlite3.Error


def _connect() -> "sqlite3.Connection | None":
    try:
        import sqlite3
    except ImportError:
        return None  # a Python can be built without it
    file = location()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(file, timeout=1)
    except (OSError, sqlite3.Error):
        return None
    try:
        with connection:
            connection.execute(_TABLE)
    except sqlite3.Error:
        connection.close()
        return None
    return connection
