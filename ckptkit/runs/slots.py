"""Named places for checkpoints: list, save, delete and export them, without a silent loss."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ckptkit.api.converting import convert
from ckptkit.api.loading import load
from ckptkit.api.preparing import refuse_unfit
from ckptkit.api.reading import PathLike, find, read
from ckptkit.api.surveying import survey
from ckptkit.errors import IntegrityError, NotACheckpointError, UsageError
from ckptkit.model.checkpoint import Checkpoint, SourceFile
from ckptkit.model.runs import Choice
from ckptkit.runs.playing import Environment, Move, play
from ckptkit.storage import folder
from ckptkit.storage.duplicate import copy_file, copy_files
from ckptkit.storage.removing import discard
from ckptkit.training.latest import why_invalid

NAME = re.compile(r"[a-zA-Z0-9_-]{1,100}", re.ASCII)
COPY = "copy"


class Slots:
    """The slots in a folder: `FOLDER/NAME` holds the files of one checkpoint, under the names they had.

    A save appears whole or not at all and replaces nothing unless it is told to.

    Attributes:
        folder: Where they are; it need not exist until the first save.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)

    def list(self) -> tuple[Choice, ...]:
        """Return the slots by name; what is known of a broken one says why it is broken.

        Raises:
            InaccessibleError: The folder cannot be listed.
        """
        return tuple(self._listed())

    def path(self, name: str) -> Path:
        """Return the checkpoint in a slot.

        Raises:
            UsageError: There is no such slot, or it is no name of one.
        """
        place = self._place(name)
        found = list(find(place)) if place.is_dir() and not place.is_symlink() else []
        if len(found) != 1:
            known = ", ".join(slot.path.name for slot in self.list()) or "none"
            why = "no such slot" if not found else f"holds {len(found)} checkpoints, so that it is no slot"
            raise UsageError(why, where=str(place), fix=f"slots: {known}")
        return found[0]

    def save(self, name: str, source: PathLike, *, replace: bool = False) -> Path:
        """Copy a checkpoint and what belongs to it into a slot; return the checkpoint's new path.

        Replay buffers and other files that no reader takes stay where they are.

        Args:
            name: Letters, digits, `_` and `-`.
            source: A checkpoint, or a folder that holds one and no other.
            replace: Whether a slot of that name is replaced.

        Raises:
            TargetExistsError: There is such a slot.
            IntegrityError: The checkpoint is not what it claims.
            CkptkitError: The name is none, or there is no one safe checkpoint at `source`.
        """
        place = self._place(name)
        path = self._only(source)
        checkpoint = read(path)
        refuse_unfit(checkpoint)
        problem = why_invalid(path, None)
        if problem:
            raise IntegrityError(f"is not saved: {problem}", where=str(path))
        if place.exists() and replace:
            self.path(name)  # what is no slot is not replaced
        copy_files(_files(path, checkpoint), place, force=replace, origin=path)
        return self.path(name)

    def delete(self, name: str) -> None:
        """Remove a slot.

        Raises:
            UsageError: There is no such slot.
            WriteError: The system refuses; the slot is as it was.
        """
        self.path(name)
        discard(self._place(name))

    def export(self, name: str, target: PathLike, to: str = COPY, *, force: bool = False) -> Path:
        """Write the checkpoint of a slot to a path of its own.

        Args:
            name: The slot.
            target: Where to; must not exist unless `force` is set.
            to: `copy` for its main file as it is, or a format of `convert` (`sb3`, `deploy`, `v2`).
            force: Replace what is at `target`.

        Raises:
            CkptkitError: There is no such slot, `target` exists, or as `convert`.
        """
        path, place = self.path(name), Path(target)
        if to != COPY:
            convert(path, to, place, force=force)
            return place
        if path.is_dir():
            copy_files(_files(path, read(path)), place, force=force, origin=path)
        else:
            main = next(file for file in _files(path, read(path)) if file.path == path.name)
            copy_file(main.source, place, force=force, origin=path)
        return place

    def demo(self, name: str, env: Environment, episodes: int = 1) -> Iterator[Move]:
        """Let the policy of a slot play, step by step; see `play`.

        Raises:
            CkptkitError: There is no such slot, or its network cannot be built.
        """
        yield from play(load(self.path(name)), env, episodes)

    def _place(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a slot", fix="up to 100 letters, digits, '_' and '-'")
        return self.folder / name

    def _listed(self) -> Iterator[Choice]:
        if not self.folder.is_dir():
            return
        for place in sorted(self.folder.iterdir()):
            if not NAME.fullmatch(place.name) or place.is_symlink() or not place.is_dir():
                continue
            try:
                entries = survey(place).entries
            except NotACheckpointError:
                continue
            if len(entries) == 1:
                yield Choice(place, entries[0])

    @staticmethod
    def _only(source: PathLike) -> Path:
        found = list(find(source))
        if len(found) != 1:
            raise UsageError(
                f"holds {len(found)} checkpoints and not one", where=os.fspath(source), fix="name one of them"
            )
        return found[0]


def _files(path: Path, checkpoint: Checkpoint) -> list[SourceFile]:
    """Return the files of a checkpoint as they lie on disk."""
    if checkpoint.bundle is not None and path.is_dir():
        return [_usable(path, one) for one in folder.files(path)]
    packed = any(file.role == "wrapper" for file in checkpoint.files)
    return [file for file in checkpoint.files if not (packed and file.path == f"{path.name}/content")]


def _usable(path: Path, found: folder.Found) -> SourceFile:
    if found.source is None:
        raise IntegrityError(f"cannot be copied: {found.problem}", where=str(path / found.path))
    return SourceFile(found.path, "", found.source)
