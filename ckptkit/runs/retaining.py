"""Let old checkpoints of a run go, by rules, and never the last good one."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ckptkit.api.reading import PathLike
from ckptkit.api.surveying import survey
from ckptkit.errors import UsageError
from ckptkit.model.directory import Entry, Run
from ckptkit.model.metrics import named
from ckptkit.model.progress import step_in_name
from ckptkit.model.runs import Retained, Retention
from ckptkit.runs.selecting import by_training
from ckptkit.storage.atomic import clear_leftovers
from ckptkit.storage.removing import discard
from ckptkit.storage.replacing import is_own
from ckptkit.training.latest import why_invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which numbered checkpoints of a run stay; one that any rule keeps stays.

    Attributes:
        last: The newest of them; 0 for no such rule.
        best: The best of them by `metric`; 0 for no such rule.
        every: Those whose step is a multiple of it; 0 for no such rule.
        metric: Name of a number in the training info.
        lowest: Whether its lowest value is the best.
    """

    last: int = 0
    best: int = 0
    every: int = 0
    metric: str = ""
    lowest: bool = False

    def refuse_misuse(self) -> None:
        """Refuse rules that keep nothing, or contradict each other.

        Raises:
            UsageError: Says what is missing.
        """
        if min(self.last, self.best, self.every) < 0:
            raise UsageError("a rule cannot keep fewer than none", fix="numbers of 1 or more")
        if not (self.last or self.best or self.every):
            raise UsageError("no rule says what to keep", fix="keep the last, the best or every so many")
        if bool(self.best) != bool(self.metric):
            raise UsageError("the best by what?", fix="name how many and a metric, both or neither")


def prune(  # noqa: PLR0913 - one parameter an option of the command
    directory: PathLike,
    *,
    keep_last: int = 0,
    keep_best: int = 0,
    keep_every: int = 0,
    metric: str = "",
    lowest: bool = False,
    dry_run: bool = True,
) -> Retention:
    """Remove numbered checkpoints that no rule keeps, run by run; by default only say which.

    Numbered are files and bundles with a number in their name (`checkpoint_ts4096.pth`). Everything else
    stays: `best.pt` and other names without a number, backups, links, training state without a model, and
    what cannot be read, since nobody knows what it is. What is not valid counts for no rule and stays.
    Where nothing that is kept of a run is valid, the newest that is stays too; where none is, all stays.

    Args:
        directory: A run, or a folder of runs; the rules hold for each run by itself.
        keep_last: Number of the newest to keep.
        keep_best: Number of the best by `metric` to keep.
        keep_every: Keep steps that are multiples of it.
        metric: Name of a number in the training info, dotted or its last part.
        lowest: Whether its lowest value is the best.
        dry_run: Remove nothing.

    Raises:
        UsageError: The rules keep nothing, or a metric that no checkpoint of a run has.
        NotACheckpointError: There is no checkpoint in the directory.
        WriteError: One cannot be removed; those before it are.
    """
    rules = Rules(last=keep_last, best=keep_best, every=keep_every, metric=metric, lowest=lowest)
    rules.refuse_misuse()
    found = survey(directory)
    root = Path(found.path)
    files = [file for run in found.runs for file in _retained(run, root, rules)]
    done = Retention(os.fspath(directory), dry_run, tuple(files))
    if not dry_run:
        for file in done.removed:
            discard(file.path)
        for folder in {file.path.parent for file in files}:
            clear_leftovers(folder)
    return done


def _retained(run: Run, root: Path, rules: Rules) -> list[Retained]:
    reasons = {entry.path: _untouched(entry, root) for entry in run.entries}
    numbered = by_training((entry for entry in run.entries if not reasons[entry.path]), root)
    check = _Check(root)
    reasons |= _kept(numbered, rules, check, str(root / run.path))
    going = [entry for entry in numbered if not reasons[entry.path]]
    if going:
        staying = [entry for entry in run.entries if reasons[entry.path] and entry.has_weights]
        reasons |= _saved(staying, going, check)
    return [Retained(root / entry.path, entry.bytes, reasons[entry.path]) for entry in run.entries]


@dataclass(slots=True)
class _Check:
    """Validates each checkpoint at most once."""

    root: Path
    known: dict[str, str] = field(default_factory=dict)

    def problem(self, entry: Entry) -> str:
        if entry.path not in self.known:
            self.known[entry.path] = why_invalid(self.root / entry.path, None)
        return self.known[entry.path]

    def first(self, entries: Iterable[Entry], count: int, why: str) -> dict[str, str]:
        """Return why the first `count` valid ones stay, and why those before them that are not valid do."""
        kept: dict[str, str] = {}
        left = count
        for entry in entries:
            if not left:
                break
            problem = self.problem(entry)
            kept[entry.path] = f"is not valid, look into it: {problem}" if problem else why
            left -= not problem
        return kept


def _untouched(entry: Entry, root: Path) -> str:
    """Say why no rule applies to a checkpoint; empty where they do."""
    if entry.failure is not None:
        return f"cannot be used: {entry.failure.what}"
    if not entry.has_weights:
        return "an exported graph" if entry.is_export else "holds no model"
    path = PurePath(entry.path)
    if is_own(path):
        return "a backup"
    if (root / entry.path).is_symlink():
        return "a link"
    return "" if step_in_name(path.name.partition(".")[0]) is not None else "has no number in its name"


def _kept(numbered: Sequence[Entry], rules: Rules, check: _Check, where: str) -> dict[str, str]:
    """Return why each is kept, empty where no rule says so; numbered ones come newest first."""
    kept = {entry.path: "" for entry in numbered}
    if rules.every:
        kept |= {one.path: f"every {rules.every}" for one in numbered if _is_every(one, rules.every)}
    if rules.best and numbered:
        best = _by_metric(numbered, rules, where)
        kept |= check.first(best, rules.best, f"among the best {rules.best} by {rules.metric}")
    return kept | check.first(numbered, rules.last, f"among the last {rules.last}")


def _by_metric(numbered: Sequence[Entry], rules: Rules, where: str) -> list[Entry]:
    scored = [(named(one.metrics, rules.metric), one) for one in numbered]
    known = [(value, one) for value, one in scored if value is not None]
    if not known:
        raise UsageError(f"no checkpoint says a {rules.metric!r}", where=where, fix="name another metric")
    known.sort(key=lambda pair: pair[0] if rules.lowest else -pair[0])
    return [one for _, one in known]


def _is_every(entry: Entry, every: int) -> bool:
    return entry.step is not None and entry.step % every == 0


def _saved(staying: Sequence[Entry], going: Sequence[Entry], check: _Check) -> dict[str, str]:
    """Keep the newest valid one of those that would go, where none of those that stay is valid."""
    if any(not check.problem(entry) for entry in staying):
        return {}
    for entry in going:
        if not check.problem(entry):
            return {entry.path: "the only one that is valid"}
    return {entry.path: "nothing in this run is valid" for entry in going}
