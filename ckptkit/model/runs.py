"""What is done with the checkpoints of training runs: results that the reporters render."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ckptkit.model.directory import Entry


@dataclass(frozen=True, slots=True)
class Choice:
    """One checkpoint of a directory.

    Attributes:
        path: Where it is.
        entry: What is known of it.
        value: Its value of the metric that was asked for; None without one.
    """

    path: Path
    entry: Entry
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A checkpoint that would have been chosen, and why it was not.

    Attributes:
        path: Where it is.
        reason: One line.
    """

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen from a directory, the first choice first.

    Attributes:
        directory: As the user named it.
        by: `latest`, `top` or `random`; `all` for a list of everything.
        metric: The metric that ordered them; empty without one.
        chosen: At most as many as were asked for.
        skipped: What was passed over.
    """

    directory: str
    by: str
    metric: str = ""
    chosen: tuple[Choice, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Retained:
    """What became of one checkpoint.

    Attributes:
        path: Where it is or was.
        bytes: Size of its files.
        reason: Why it is kept; empty for one that is removed.
    """

    path: Path
    bytes: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """What `prune` did or, as a dry run, would do.

    Attributes:
        directory: As the user named it.
        dry_run: Whether nothing was removed.
        files: Every checkpoint, by run and in the order of its training.
    """

    directory: str
    dry_run: bool
    files: tuple[Retained, ...] = ()

    @property
    def removed(self) -> tuple[Retained, ...]:
        """Those that are removed."""
        return tuple(file for file in self.files if not file.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One version of a published checkpoint.

    Attributes:
        name: What it is called.
        version: 1 for the first.
        path: Its bundle, relative to the registry, with `/`.
        content_digest: Hex digest over all tensors.
        manifest_sha256: Digest of the manifest's file, which has those of all other files.
        level: Level that it reached when it was published.
        aliases: Other words for it, such as `latest`; of one name a word means one version.
        metadata: Plain data that whoever published it said.
        new: Whether this call published it; False where the same content was there already.
    """

    name: str
    version: int
    path: str
    content_digest: str
    manifest_sha256: str
    level: int
    aliases: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    new: bool = False


@dataclass(frozen=True, slots=True)
class Integrity:
    """What became of a registry's bundles since they were published.

    Attributes:
        registry: As the user named it.
        checked: Number of bundles in the index.
        problems: Those that are not what was published, and why.
    """

    registry: str
    checked: int
    problems: tuple[Skipped, ...] = ()
