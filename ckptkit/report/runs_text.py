"""What the `runs` commands found and did, as text."""

from collections.abc import Iterable, Iterator

from ckptkit.model.runs import Artifact, Choice, Integrity, Retention, Selection, Skipped
from ckptkit.report.styled import Line, line
from ckptkit.report.words import plural, size


def selection(found: Selection) -> Iterator[Line]:
    """Yield a line for each choice, best first, and one for each that was passed over."""
    for one in found.chosen:
        yield line((str(one.path), "name"), _facts(one, found.metric))
    yield from _skipped(found.skipped, "skipped")
    if not found.chosen:
        yield line(("nothing to choose", "bad"))


def retention(done: Retention) -> Iterator[Line]:
    """Yield a line for each checkpoint, and the sum."""
    word = "would go" if done.dry_run else "removed"
    for file in done.files:
        if file.reason:
            yield line((str(file.path), "name"), ": ", ("kept", "good"), f", {file.reason}")
        else:
            yield line((str(file.path), "name"), ": ", (word, "warn"), f", {size(file.bytes)}")
    gone = done.removed
    amount = f"{plural(len(gone), 'checkpoint')} of {len(done.files):,}, {size(sum(f.bytes for f in gone))}"
    dry = " · a dry run: --delete removes them" if done.dry_run and gone else ""
    yield line((f"{amount} {word}{dry}", "name"))


def artifact(done: Artifact) -> Iterator[Line]:
    """Yield what was published and under which words."""
    word = "published" if done.new else "unchanged"
    name = f"{done.name}:v{done.version}"
    yield line((word, "good" if done.new else "dim"), " ", (name, "name"), f" · {done.path}")
    yield line("aliases   ", ", ".join(done.aliases))
    yield line("content   ", f"sha256 {done.content_digest}")
    yield line("manifest  ", f"sha256 {done.manifest_sha256}")


def integrity(done: Integrity) -> Iterator[Line]:
    """Yield what is wrong, and the sum."""
    yield from _skipped(done.problems, "")
    wrong = len(done.problems)
    style = "bad" if wrong else "good"
    yield line(f"{plural(done.checked, 'artifact')}: ", (f"{done.checked - wrong} ok, {wrong} not", style))


def _facts(one: Choice, metric: str) -> str:
    entry = one.entry
    facts = [entry.system, f"{entry.unit} {entry.step:,}" if entry.step is not None else ""]
    if one.value is not None:
        facts.append(f"{metric} {one.value:g}")
    return "".join(f" · {fact}" for fact in facts if fact)


def _skipped(skipped: Iterable[Skipped], word: str) -> Iterator[Line]:
    for one in skipped:
        said = f"{word}: {one.reason}" if word else one.reason
        yield line((str(one.path), "name"), ": ", (said, "warn"))
