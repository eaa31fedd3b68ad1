"""Files beside a zip: which of them belong to it, and which only stand near."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ckptkit.errors import CkptkitError
from ckptkit.model.checkpoint import SourceFile
from ckptkit.model.source import Source
from ckptkit.storage.sb3 import extractor, normalizer
from ckptkit.storage.sb3.collected import Collected
from ckptkit.storage.source import FileSource
from ckptkit.storage.torch_file import is_legacy
from ckptkit.storage.zip import is_zip

STATISTICS = "vecnormalize.pkl"
HEAD_BYTES = 64
MAX_ENTRIES = 10_000
"""Directory entries that are looked at to tell whether a zip stands alone."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The surroundings of one zip.

    Attributes:
        path: The zip's path.
    """

    path: Path

    @property
    def names_directory(self) -> bool:
        """Whether the zip has the name of its directory, as RL-Snake lays out a model."""
        return self.path.absolute().parent.name == self.path.stem

    def open(self, *parts: str) -> Source | None:
        """Open a regular file relative to the zip's directory; None where there is none."""
        path = self.path.parent.joinpath(*parts)
        return FileSource(path) if path.is_file() else None

    def extractor(self, found: Collected) -> dict[str, object]:
        """Return what the extractor's sidecars say, where they belong to this zip."""
        if self.names_directory:
            return extractor.sidecar(self.open, found)
        for name in (extractor.DILL, extractor.KWARGS):
            if (self.path.parent / name).is_file():
                message = f"{name} stands beside {self.path.name}, which may not be its zip: not read"
                found.note("stray-sidecar", message, name)
        return {}

    def statistics(
        self, space: Mapping[str, object] | None, found: Collected
    ) -> tuple[Mapping[str, object], ...]:
        """Return the preprocessing step of the statistics that belong to this zip; none elsewhere.

        Args:
            space: The zip's own observation space; None where it is lost.
            found: Gets the file, its verdict and facts, and why statistics were not applied.
        """
        own = f"{self.path.stem}/{STATISTICS}"
        for name in (own, STATISTICS):
            source = self.open(*name.split("/"))
            if source is None:
                continue
            if name == own or self.is_alone():
                return self._apply(source, name, space, found)
            message = f"{name} stands beside several checkpoints, so it may not be of this one: not applied"
            found.note("stray-statistics", message, name)
        return ()

    def _apply(
        self, source: Source, name: str, space: Mapping[str, object] | None, found: Collected
    ) -> tuple[Mapping[str, object], ...]:
        found.files.append(SourceFile(name, "statistics", source))
        try:
            read = normalizer.read(source, name, found)
        except normalizer.OtherStatisticsError as error:
            found.note("stray-statistics", f"not applied: {error.what}", name)
            return ()
        if read is None:
            return ()
        unfit = "the zip states no observation space" if space is None else normalizer.fits(read, space)
        if unfit:
            found.note("stray-statistics", f"not applied: {unfit}", name)
            return ()
        return (read.entry,)

    def is_alone(self) -> bool:
        """Whether no other file of the directory is a checkpoint, as far as its first bytes tell."""
        return next(self._others(), None) is None

    def is_single(self) -> bool:
        """Whether the zip is all that the directory can hold, apart from a folder of its own name."""
        folders = (path for path in self.path.absolute().parent.iterdir() if path.is_dir())
        return self.is_alone() and all(path.name == self.path.stem for path in folders)

    def _others(self) -> Iterator[Path]:
        """Yield the other files of the directory that begin as a zip or a torch file does."""
        for count, path in enumerate(self.path.absolute().parent.iterdir()):
            if count >= MAX_ENTRIES:
                yield path
            if path.name != self.path.name and path.is_file() and _is_container(path):
                yield path


def _is_container(path: Path) -> bool:
    try:
        source = FileSource(path)
        head = source.read(0, min(HEAD_BYTES, source.size))
    except CkptkitError:
        return False
    return is_zip(head) or is_legacy(head)
