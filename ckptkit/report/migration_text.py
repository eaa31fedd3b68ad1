"""What `migrate` did, as text: a line a file, what it means for the user below it, and the counts."""

from collections.abc import Iterator

from ckptkit.model.levels import NAMES
from ckptkit.model.migration import Fate, Migrated, Migration, tally
from ckptkit.report.styled import Line, line
from ckptkit.report.words import plural

STYLES = {
    Fate.CONVERTED: "good",
    Fate.CURRENT: "dim",
    Fate.NO_CHECKPOINT: "dim",
    Fate.REFUSED: "bad",
    Fate.FAILED: "bad",
}
WORDS = {Fate.CURRENT: "already current", Fate.NO_CHECKPOINT: "not a checkpoint"}
INDENT = "  "


def lines(done: Migration) -> Iterator[Line]:
    """Yield the lines of all files in the order of the tree, then the counts."""
    for file in done.files:
        yield from _file(file, dry_run=done.dry_run)
    yield line((_summary(done), "name"))


def _file(file: Migrated, *, dry_run: bool) -> Iterator[Line]:
    word = WORDS.get(file.fate, str(file.fate))
    if dry_run and file.fate is Fate.CONVERTED:
        word = "would be converted"
    yield line((file.path, "name"), ": ", (word, STYLES[file.fate]), _details(file))
    for note in file.notes:
        yield line(INDENT, ("note ", "note"), note)
    if file.fix:
        yield line(INDENT, ("fix ", "note"), file.fix)


def _details(file: Migrated) -> str:
    facts = [file.reason]
    if file.fate is Fate.CONVERTED:
        level = "" if file.level is None else f"level {file.level} {NAMES[file.level]}"
        kept = f"source kept as {file.backup}" if file.backup else ""
        beside = f"read with it and left there: {', '.join(file.sidecars)}" if file.sidecars else ""
        facts = [f"to {file.target}", level, kept, beside]
    told = " · ".join(fact for fact in facts if fact)
    return f": {told}" if file.reason else f" {told}".rstrip()


def _summary(done: Migration) -> str:
    counts = tally(done.files)
    words = [f"{counts[fate]:,} {WORDS.get(fate, str(fate))}" for fate in Fate if counts[fate]]
    dry = " · a dry run: nothing was written" if done.dry_run else ""
    return f"{plural(len(done.files), 'file')}: {', '.join(words)}{dry}"
