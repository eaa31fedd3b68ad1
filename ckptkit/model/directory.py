"""What a directory of checkpoints holds: frozen results that the reporters render."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ckptkit.model.checkpoint import EXPORTED, Note
from ckptkit.model.finding import Verdict


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a checkpoint cannot be used.

    Attributes:
        kind: `broken`, `refused` (an unknown version, a tensor without a form), `pointer` (its content is
            elsewhere), `inaccessible` (the system does not let it be read) or `unsafe`.
        code: Code of the rule.
        what: One sentence.
        fix: What helps; may be empty.
        exit_status: Exit status of the command line.
    """

    kind: str
    code: str
    what: str
    fix: str
    exit_status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One checkpoint of a directory.

    Attributes:
        path: Relative to the directory, with `/`.
        run: Folder that it lies in, relative to the directory; `.` for the directory itself.
        system: As `model.systems.system` names it; empty where the checkpoint could not be read.
        format: Id of the reader; empty likewise.
        step: How far the training had come; None where nothing says it.
        step_from: The field that says so, or `file name`.
        bytes: Size of its files together.
        failure: Why it cannot be used; None where it reads and is safe.
        notes: Facts that its reader left.
        metrics: Numbers of its training info, by dotted name.
    """

    path: str
    run: str
    system: str = ""
    format: str = ""
    format_version: str | None = None
    verdict: Verdict | None = None
    step: int | None = None
    step_from: str = ""
    bytes: int = 0
    failure: Failure | None = None
    notes: tuple[Note, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_export(self) -> bool:
        """Whether it is a graph that was exported from a checkpoint, so that no training goes on from it."""
        return self.format == EXPORTED

    @property
    def has_weights(self) -> bool:
        """Whether it can be used and holds a model, not the state of a training run alone, and no export."""
        return (
            self.failure is None
            and not self.is_export
            and all(note.kind != "no-model" for note in self.notes)
        )

    @property
    def unit(self) -> str:
        """What its step counts: the field's own name, wherever it stands."""
        return self.step_from.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Run:
    """The checkpoints of one folder, in the order of their training.

    Attributes:
        path: The folder, relative to the directory; `.` for the directory itself.
        entries: By step, those without one first.
    """

    path: str
    entries: tuple[Entry, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems of its checkpoints, sorted."""
        return tuple(sorted({entry.system for entry in self.entries} - {""}))

    @property
    def bytes(self) -> int:
        """Size of all of its checkpoints."""
        return sum(entry.bytes for entry in self.entries)

    @property
    def newest(self) -> Entry | None:
        """The usable weights that were trained longest; None where no count can tell.

        Counts of different fields are not compared: those that most of the run has are.
        """
        counted = [entry for entry in self.entries if entry.step is not None and entry.has_weights]
        if not counted:
            return None
        (unit, _), *_ = Counter(entry.unit for entry in counted).most_common(1)
        return max((e for e in counted if e.unit == unit), key=lambda e: (e.step or 0, e.path))


@dataclass(frozen=True)
class Directory:
    """All that `inspect` says of a directory that is no single checkpoint.

    Attributes:
        path: As the user named it.
        runs: Sorted by path; at least one.
    """

    path: str
    runs: tuple[Run, ...]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The checkpoints of all runs."""
        return tuple(entry for run in self.runs for entry in run.entries)

    @property
    def bytes(self) -> int:
        """Size of all checkpoints."""
        return sum(run.bytes for run in self.runs)

    @property
    def systems(self) -> Mapping[str, int]:
        """Number of checkpoints by system, the most frequent first."""
        counts = Counter(entry.system for entry in self.entries if entry.system)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def failed(self) -> tuple[Entry, ...]:
        """The checkpoints that cannot be used."""
        return tuple(entry for entry in self.entries if entry.failure is not None)

    @property
    def stray(self) -> Mapping[str, str]:
        """Files that belong to no checkpoint with certainty, or are not carried; each with what it is."""
        kinds = ("stray-sidecar", "stray-statistics", "replay-buffer", "incomplete-sidecar", "unfinished")
        return {
            f"{entry.run}/{note.location}".removeprefix("./"): note.message
            for entry in self.entries
            for note in entry.notes
            if note.kind in kinds and note.location
        }
