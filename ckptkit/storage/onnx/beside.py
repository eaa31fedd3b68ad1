"""Files beside an ONNX model that hold bytes of its tensors, and which of them may be opened.

Source: onnx 1.23.2, `docs/ExternalData.md` and `onnx/external_data_helper.py`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from ckptkit.errors import LimitExceededError, NotACheckpointError, UnreadableCheckpointError
from ckptkit.storage import pointer
from ckptkit.storage.source import FileSource

MAX_FILES = 1000
"""Some exporters write a file for each tensor."""
KEYS = frozenset(("location", "offset", "length", "checksum", "basepath"))
_BAD = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:")
_NATURAL = re.compile(r"0|[1-9][0-9]{0,18}")
HERE = "./"
"""Some exporters begin each location with it."""


class Place:
    """Where a tensor's bytes lie.

    Attributes:
        location: Path relative to the model's folder.
        offset: First byte.
        length: How many bytes; None for all behind the first.
    """

    __slots__ = ("length", "location", "offset")

    def __init__(self, stated: Mapping[str, str]) -> None:
        """Take what a tensor states.

        Raises:
            UnreadableCheckpointError: It is no plain path below the folder, or a number is none.
        """
        given = stated.get("location", "")
        self.location = given.removeprefix(HERE)
        if problem := _problem(self.location):
            raise UnreadableCheckpointError(f"takes its data from {given!r}, which {problem}")
        numbers = {key: stated[key] for key in ("offset", "length") if key in stated}
        for key, text in numbers.items():
            if not _NATURAL.fullmatch(text):
                raise UnreadableCheckpointError(f"states the {key} {text!r}, which is no natural number")
        self.offset = int(numbers.get("offset", "0"))
        self.length = int(numbers["length"]) if "length" in numbers else None


def _problem(location: str) -> str:
    parts = location.split("/")
    problems = (
        (not location, "is empty"),
        (location.startswith("/"), "is absolute"),
        (_BAD.search(location) is not None, "has a backslash, a drive or a control character"),
        (".." in parts, "leaves the folder of the model"),
        ("." in parts or "" in parts, "has an empty part or a dot for one"),
    )
    return next((words for wrong, words in problems if wrong), "")


class Beside:
    """The files beside one model, each opened once.

    Attributes:
        folder: Of the model.
        files: What was opened, by location.
    """

    def __init__(self, path: Path) -> None:
        """Look for files beside the model at `path`."""
        self.folder, self._model = path.parent, path.name
        self.files: dict[str, FileSource] = {}

    def open(self, location: str) -> FileSource:
        """Return the file at a location that `Place` has taken.

        Raises:
            UnreadableCheckpointError: It is not there, no regular file, the model, or reached by a link.
            PointerError: It is a Git LFS or DVC pointer.
            InaccessibleError: The system does not let it be read.
            LimitExceededError: The model names more than `MAX_FILES`.
        """
        if location in self.files:
            return self.files[location]
        if len(self.files) == MAX_FILES:
            raise LimitExceededError(f"takes the data of its tensors from more than {MAX_FILES:,} files")
        if problem := self._linked(location):
            raise UnreadableCheckpointError(
                f"takes its data from {location!r}, which {problem}",
                fix="put a copy of the file beside the model, if it is the one that was meant",
            )
        path = self.folder / location
        try:
            source = FileSource(path)
        except NotACheckpointError as error:
            raise UnreadableCheckpointError(
                f"takes its data from {location!r}: {error.what}", fix="put the file beside the model"
            ) from error
        if absent := pointer.parse(source.read(0, min(source.size, pointer.MAX_POINTER_BYTES))):
            raise pointer.refuse(absent, str(path))
        self.files[location] = source
        return source

    def _linked(self, location: str) -> str:
        """Say how a location is that of another file than its name says; empty where it is not."""
        if location == self._model:
            return "is the model itself"
        path = self.folder
        for part in location.split("/"):
            path /= part
            if path.is_symlink():
                return f"is reached by a link ({path.relative_to(self.folder)})"
        try:
            links = path.stat().st_nlink
        except OSError:
            return ""  # opening it says what is wrong
        return "is a hard link: the file has another name as well" if links > 1 and path.is_file() else ""
