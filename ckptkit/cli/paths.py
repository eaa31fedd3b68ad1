"""What the paths lead to that a command is given."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ckptkit.cli.boundary import complain
from ckptkit.errors import CkptkitError, NotACheckpointError

if TYPE_CHECKING:
    from ckptkit.api.spreading import Known

Result = TypeVar("Result")


def is_directory_of_checkpoints(path: str) -> bool:
    """Whether `path` is a directory that is searched; one that is a checkpoint by itself is not."""
    from ckptkit.api.surveying import is_searched

    try:
        return is_searched(path)
    except CkptkitError:
        return False  # what is wrong with it is said where it is read


def checkpoints(paths: Iterable[str]) -> "Iterator[Path | Known[CkptkitError]]":
    """Yield the checkpoints at each path, or the error that says why there is none."""
    from ckptkit import api
    from ckptkit.api.spreading import Known

    for path in paths:
        empty = True
        try:
            for candidate in api.find(path):
                empty = False
                yield candidate
            if empty:
                raise NotACheckpointError("no checkpoint in this directory", where=path)
        except CkptkitError as error:
            yield Known(error)


def kept(results: Iterable[Result | CkptkitError], found: list[Result]) -> int:
    """Add results to `found`; say each error in its place instead, and return the status for them all."""
    status = 0
    for one in results:
        if isinstance(one, CkptkitError):
            status = max(status, complain(one))
        else:
            found.append(one)
    return status
