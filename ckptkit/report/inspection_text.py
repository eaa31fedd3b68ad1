"""What `inspect` says of one checkpoint, as text."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from ckptkit.model.finding import Verdict
from ckptkit.model.inert import ClassRef
from ckptkit.model.levels import NAMES
from ckptkit.model.results import Inspection, TensorRow
from ckptkit.report.graph_picture import picture
from ckptkit.report.graph_routes import routes
from ckptkit.report.styled import Line, Span, line
from ckptkit.report.words import dtypes, parameters, plural, size, space

LABEL = 13
MAX_FIELDS = 6
"""Most fields of `model_config` or `training_info` that the text names; JSON has all."""
MAX_VALUE = 40
BEARING = {
    Verdict.DATA_ONLY: "good",
    Verdict.CONTAINS_CODE: "warn",
    Verdict.UNSAFE: "bad",
    Verdict.MALFORMED: "bad",
    Verdict.UNSUPPORTED: "bad",
}
HIGHLIGHTS = (
    ("num_timesteps", "steps"),
    ("total_timesteps", "steps planned"),
    ("epoch", "epochs"),
    ("episode", "episodes"),
    ("step", "steps"),
)
"""Fields of `training_info` that lead the line, and what they count."""


def lines(found: Inspection) -> Iterator[Line]:
    """Yield the lines: a heading, one line a part, and the level with what the next one lacks."""
    yield _heading(found)
    parts = [part for part in _parts(found) if part]
    for index, part in enumerate(parts):
        branch = "└─ " if index == len(parts) - 1 else "├─ "
        yield [(branch, "dim"), *part]
    yield _level(found)


def _heading(found: Inspection) -> Line:
    version = f" {found.format_version}" if found.format_version else ""
    config = found.model_config
    algorithm = config.get("algorithm") if isinstance(config, Mapping) else None
    named = f" · {algorithm}" if isinstance(algorithm, str) else ""
    return line(
        (PurePath(found.path).name or found.path, "name"),
        f" · {found.format}{version}{named} · {found.container} · {size(found.bytes)} · ",
        (str(found.verdict), BEARING[found.verdict]),
    )


def _parts(found: Inspection) -> Iterator[Line]:
    yield _spaces(found.spaces)
    yield _tensors("tensors", found.tensors)
    yield _tensors("training", found.training_tensors)
    yield from _network(found)
    yield _fields("config", found.model_config)
    yield _trained(found.training_info)
    yield from _code(found)
    yield from _unsafe(found)
    if found.dropped:
        names = ", ".join(entry.path for entry in found.dropped)
        yield _part("not carried", f"{plural(len(found.dropped), 'entry', 'entries')}: {names}")
    for note in found.notes:
        yield _part("note", f"{note.location}: {note.message}" if note.location else note.message)
    if found.content_digest:
        yield _part("content", f"sha256 {found.content_digest}")


def _network(found: Inspection) -> Iterator[Line]:
    """Yield the ways through the network, or the question that is open; nothing where nobody asked it."""
    if found.architecture is None and found.recovery is None:
        return
    drawn = picture(found)
    if drawn.outline is not None:
        yield _part("network", routes(drawn.outline) or "no layer with parameters")
    for question in drawn.questions:
        yield _part("network", ("not known: ", "warn"), question)
    if drawn.assumed:
        yield _part("assumed", "; ".join(drawn.assumed))


def _part(label: str, *words: str | Span) -> Line:
    return line((f"{label:<{LABEL}}", "dim"), *words)


def _spaces(spaces: Mapping[str, object]) -> Line:
    shown = [f"{name} {space(spaces[name])}" for name in ("observation", "action") if name in spaces]
    return _part("spaces", " · ".join(shown)) if shown else []


def _tensors(label: str, rows: Sequence[TensorRow]) -> Line:
    if not rows:
        return _part(label, "no tensors") if label == "tensors" else []
    if label != "tensors":
        return _part(label, f"{plural(len(rows), 'tensor')} · {size(_stored(rows))} · {dtypes(rows)}")
    aliases = sum(1 for row in rows if row.alias_of)
    shared = f" ({plural(aliases, 'alias', 'aliases')}, not counted twice)" if aliases else ""
    count = plural(parameters(rows), "parameter")
    return _part(label, f"{plural(len(rows), 'tensor')}{shared} · {count} · {dtypes(rows)}")


def _stored(rows: Sequence[TensorRow]) -> int:
    return sum(row.nbytes for row in rows if not row.alias_of)


def _fields(label: str, tree: object, leading: tuple[str, ...] = ()) -> Line:
    """Name short values of a tree, and say how many fields are left for the JSON form."""
    if not isinstance(tree, Mapping) or not tree:
        return []
    shown = [*leading]
    counted = {name for name, _ in HIGHLIGHTS} if leading else set()
    for name, value in tree.items():
        if name not in counted and len(shown) < MAX_FIELDS and _is_short(value):
            shown.append(f"{name} {_value(value)}")
    left = len(tree) - len(shown)
    more = (
        [f"{plural(left, 'field')} more in --format json" if shown else plural(left, "field")] if left else []
    )
    return _part(label, " · ".join(shown + more))


def _trained(info: object) -> Line:
    if not isinstance(info, Mapping):
        return []
    leading = [
        plural(info[name], noun.removesuffix("s"), noun) if " " not in noun else f"{info[name]:,} {noun}"
        for name, noun in HIGHLIGHTS
        if isinstance(info.get(name), int) and not isinstance(info.get(name), bool)
    ]
    return _fields("trained", info, tuple(leading))


def _is_short(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, str | int | float) for item in value) and len(str(value)) <= MAX_VALUE
    return isinstance(value, str | int | float | ClassRef) and len(str(value)) <= MAX_VALUE


def _value(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _code(found: Inspection) -> Iterator[Line]:
    """Name what is executable, one line a place; nothing of it was run."""
    places: dict[str, dict[str, str]] = {}
    for fact in found.code:
        named = places.setdefault(fact.where or "the file", {})
        # What a pickle makes an instance of, it names as well; the first says more.
        if fact.kind != "reference" or fact.name not in named:
            named[fact.name] = fact.kind
    alike: dict[str, list[str]] = {}
    for place, named in places.items():
        shown = [f"{kind} {name}".strip() for name, kind in named.items()][:MAX_FIELDS]
        more = f", {len(named) - MAX_FIELDS} more in --format json" if len(named) > MAX_FIELDS else ""
        alike.setdefault(", ".join(shown) + more, []).append(place)
    for words, where in alike.items():
        yield _part("code", f"{', '.join(where)}: {words} ", ("(not run)", "warn"))


def _unsafe(found: Inspection) -> Iterator[Line]:
    for use in found.globals:
        if not use.allowed:
            place = f"{use.where}, byte {use.offset}" if use.where else f"byte {use.offset}"
            yield _part("unsafe", (f"{use.module}.{use.name}", "bad"), f" at {place}: {use.why}")


def _level(found: Inspection) -> Line:
    name = NAMES[found.level] if 0 <= found.level < len(NAMES) else "not readable"
    rest = found.next_level.replace("SRC", shlex.quote(found.path))
    return line((f"level {found.level} {name}", "name"), f" · next: {rest}" if rest else "")
